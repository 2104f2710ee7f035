//go:build !linux

package sandbox

// Enter does nothing where there is no Landlock.
func Enter(Rights) error { return nil }

// Version is 0 where there is no Landlock.
func Version() int { return 0 }
