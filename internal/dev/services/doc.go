// Package services tests what starts qmail with a machine: the units of systemd, the service directories of
// daemontools, runit and s6, and the Debian package.
package services
