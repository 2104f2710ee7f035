//go:build !linux

package sys

import "errors"

// SpaceOf fails: each system has a call of its own for it.
func SpaceOf(string) (Space, error) { return Space{}, errors.ErrUnsupported }
