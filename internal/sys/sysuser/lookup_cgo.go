//go:build cgo

package sysuser

/*
#include <errno.h>
#include <pwd.h>
#include <stdlib.h>
#include <sys/types.h>

// lookup is getpwnam_r, asked again when a signal came between.
// reason is errno as it was left where no user was found: the error of a source that was passed over may be in it.
static int lookup(const char *name, struct passwd *pw, char *buf, size_t len, int *found, int *reason) {
	struct passwd *result = NULL;
	int e;

	do {
		errno = 0;
		e = getpwnam_r(name, pw, buf, len, &result);
	} while (e == EINTR);
	*reason = errno;
	*found = result != NULL;
	return e;
}
*/
import "C"

import (
	"errors"
	"strings"
	"syscall"
	"unsafe"

	"qmail/internal/sys/passwd"
)

// How says how users are looked up.
const How = "the system's name service"

const (
	firstBuffer = 4 << 10
	maxBuffer   = 1 << 20
)

// Lookup returns a user by name. A name service that has several sources passes over one that fails, such as a file
// that cannot be read, and may then say that there is no such user. So the file has to be readable, at least, and
// when it knows better the service is asked once more.
func Lookup(name string) (User, error) {
	if strings.IndexByte(name, 0) >= 0 {
		return User{}, ErrUnknown
	}
	u, err := ask(name)
	if err != ErrUnknown {
		return u, err
	}
	switch _, err = passwd.Lookup(name); err {
	case passwd.ErrUnknown:
		return User{}, ErrUnknown
	case nil:
		if u, err = ask(name); err == ErrUnknown {
			err = errContradiction
		}
		return u, err
	}
	return User{}, err
}

var errContradiction = errors.New("the name service does not know a user of /etc/passwd")

func ask(name string) (User, error) {
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
	var found, reason C.int
	e := syscall.Errno(C.lookup(name, &pw, (*C.char)(buf), C.size_t(size), &found, &reason))
	switch {
	case found != 0 && e == 0:
		return User{
			Name: C.GoString(pw.pw_name), UID: int(pw.pw_uid), GID: int(pw.pw_gid), Home: C.GoString(pw.pw_dir),
		}, nil
	case e == 0 && !want(syscall.Errno(reason)):
		return User{}, ErrUnknown
	case e == 0:
		return User{}, syscall.Errno(reason)
	}
	return User{}, e
}

// want says that something was wanting, or broken, and not that there is no such user. (Other values are left by
// searches that found nothing, in one place or another.)
func want(e syscall.Errno) bool {
	switch e {
	case syscall.EIO, syscall.EMFILE, syscall.ENFILE, syscall.ENOMEM, syscall.ENOBUFS, syscall.ESTALE, syscall.ETIMEDOUT:
		return true
	}
	return false
}
