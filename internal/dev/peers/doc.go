// Package peers tests the installed suite against the programs that a user would meet: other mail systems, servers that
// start ours, mail readers, delivery agents. They are Debian's packages, unmodified; each test has a world of its own.
package peers
