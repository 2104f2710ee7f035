package sys

// A Space is what a filesystem has, for those who are not root.
type Space struct{ Bytes, Free, Inodes, FreeInodes uint64 }
