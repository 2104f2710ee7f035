//go:build !linux

package inet

import (
	"errors"
	"net/netip"
)

// A Router asks the kernel where packets would go, which it does on Linux only.
type Router struct{}

// OpenRouter fails.
func OpenRouter() (*Router, error) { return nil, errors.ErrUnsupported }

// Close does nothing.
func (*Router) Close() {}

// Stays fails.
func (*Router) Stays(netip.Addr) (bool, error) { return false, errors.ErrUnsupported }
