// Package attack has only tests: hostile users, clients and servers against an installed system. Each plays an attack
// or a fault of others that has worked once, and fails where it works again.
package attack
