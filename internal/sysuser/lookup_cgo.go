//go:build cgo

package sysuser

/*
#include <errno.h>
#include <pwd.h>
#include <stdlib.h>
#include <sys/types.h>

// lookup is getpwnam_r, asked again when a signal came between.
static int lookup(const char *name, struct passwd *pw, char *buf, size_t len, int *found) {
	struct passwd *result = NULL;
	int e;

	do {
		errno = 0;
		e = getpwnam_r(name, pw, buf, len, &result);
	} while (e == EINTR);
	*found = result != NULL;
	return e;
}
*/
import "C"

import (
	"strings"
	"syscall"
	"unsafe"
)

// How says how users are looked up.
const How = "the system's name service"

const (
	firstBuffer = 4 << 10
	maxBuffer   = 1 << 20
)

// Lookup returns a user by name.
func Lookup(name string) (User, error) {
	if strings.IndexByte(name, 0) >= 0 {
		return User{}, ErrUnknown
	}
	cname := C.CString(name)
	defer C.free(unsafe.Pointer(cname))
	for size := firstBuffer; ; size *= 2 {
		buf := C.malloc(C.size_t(size))
		if buf == nil {
			return User{}, syscall.ENOMEM
		}
		u, err := lookup(cname, buf, size)
		C.free(buf)
		if err != syscall.ERANGE || size >= maxBuffer {
			return u, err
		}
	}
}

func lookup(name *C.char, buf unsafe.Pointer, size int) (User, error) {
	var pw C.struct_passwd
	var found C.int
	e := syscall.Errno(C.lookup(name, &pw, (*C.char)(buf), C.size_t(size), &found))
	switch {
	case found != 0 && e == 0:
		return User{
			Name: C.GoString(pw.pw_name), UID: int(pw.pw_uid), GID: int(pw.pw_gid), Home: C.GoString(pw.pw_dir),
		}, nil
	case e == 0:
		return User{}, ErrUnknown
	}
	return User{}, e
}
