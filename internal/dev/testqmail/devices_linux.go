package testqmail

// Devices gives the world the machine's device files, for tests that mount disks.
func Devices() error { return mount("devtmpfs", "/dev", "devtmpfs", 0, "mode=755") }
