// Package sandbox has a process give up the files and sockets that it has no use for, so that whoever takes it over
// by a hostile message or reply finds less. It holds for all threads and until the end; a program that starts a
// set-uid one cannot enter, since that right is given up, too.
package sandbox

// Rights are what a process keeps. What it has open stays open.
type Rights struct {
	Read    []string // files and folders, with all that is below these
	Write   []string // the same, also to be read
	Network bool     // it may connect by TCP; listening is given up. Landlock sees no Multipath TCP and no UDP
}
