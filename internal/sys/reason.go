package sys

import (
	"errors"
	"io/fs"
	"syscall"
)

// Reason returns why a call failed, in the words that qmail's programs have always used and
// without the call's name and path: "file does not exist". An error that holds no errno speaks for itself.
func Reason(err error) string {
	var no syscall.Errno
	if !errors.As(err, &no) {
		switch {
		case err == nil:
			return "no error"
		case errors.Is(err, fs.ErrNotExist):
			return "file does not exist"
		}
		return err.Error()
	}
	if s := reason(no); s != "" {
		return s
	}
	return no.Error()
}

func reason(no syscall.Errno) string {
	switch no {
	case syscall.EINTR:
		return "interrupted system call"
	case syscall.ENOMEM:
		return "out of memory"
	case syscall.ENOENT:
		return "file does not exist"
	case syscall.EIO:
		return "input/output error"
	case syscall.EEXIST:
		return "file already exists"
	case syscall.ETIMEDOUT:
		return "timed out"
	case syscall.EINPROGRESS:
		return "operation in progress"
	case syscall.EAGAIN:
		return "temporary failure"
	case syscall.EPIPE:
		return "broken pipe"
	case syscall.EPERM:
		return "permission denied"
	case syscall.EACCES:
		return "access denied"
	case syscall.ENXIO:
		return "device not configured"
	case syscall.EPROTO:
		return "protocol error"
	case syscall.EISDIR:
		return "is a directory"
	case syscall.ECONNREFUSED:
		return "connection refused"
	case syscall.ENOTDIR:
		return "not a directory"
	case syscall.ESPIPE:
		return "unseekable"
	case syscall.EROFS:
		return "read-only file system"
	case syscall.EDQUOT:
		return "disk quota exceeded"
	}
	return rareReason(no)
}

func rareReason(no syscall.Errno) string {
	switch no {
	case syscall.EFAULT:
		return "bad address"
	case syscall.E2BIG:
		return "argument list too long"
	case syscall.ENOEXEC:
		return "exec format error"
	case syscall.EBADF:
		return "file descriptor not open"
	case syscall.ECHILD:
		return "no child processes"
	case syscall.EBUSY:
		return "device busy"
	case syscall.EXDEV:
		return "cross-device rename"
	case syscall.ENODEV:
		return "device does not support operation"
	case syscall.EINVAL:
		return "invalid argument"
	case syscall.ENFILE:
		return "system cannot open more files"
	case syscall.EMFILE:
		return "process cannot open more files"
	case syscall.EFBIG:
		return "file too big"
	case syscall.ENOSPC:
		return "out of disk space"
	case syscall.EMLINK:
		return "too many links"
	case syscall.ENAMETOOLONG:
		return "file name too long"
	case syscall.ENOTEMPTY:
		return "directory not empty"
	case syscall.ELOOP:
		return "symbolic link loop"
	case syscall.ENOLCK:
		return "no locks available"
	case syscall.ESTALE:
		return "stale NFS file handle"
	case syscall.ETXTBSY:
		return "text busy"
	}
	return ""
}
