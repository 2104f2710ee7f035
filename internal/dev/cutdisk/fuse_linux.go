package cutdisk

import (
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"sync/atomic"
	"syscall"
	"time"
)

// A Disk serves one file.
type Disk struct {
	// Record is what happened, where recording was asked for.
	Record *Record

	path  string
	size  int64
	flush time.Duration
	dev   *os.File // /dev/fuse
	store *os.File
	ill   atomic.Bool
}

// Fail has every write and flush fail from now on, or succeed again. What can be read stays as it is.
func (d *Disk) Fail(ill bool) { d.ill.Store(ill) }

// The operations of the FUSE protocol that a file as the root of a mount sees.
const (
	opForget    = 2
	opGetattr   = 3
	opSetattr   = 4
	opOpen      = 14
	opRead      = 15
	opWrite     = 16
	opStatfs    = 17
	opRelease   = 18
	opFsync     = 20
	opFlush     = 25
	opInit      = 26
	opInterrupt = 36
	opDestroy   = 38
	opForgets   = 42
)

const (
	inHeader   = 40
	outHeader  = 16
	maxWrite   = 1 << 20
	fuseMajor  = 7
	fuseMinor  = 31
	fuseFlags  = 1<<0 | 1<<5 | 1<<22 // ASYNC_READ, BIG_WRITES, MAX_PAGES
	ioOffset   = 8                   // in the arguments of read and write: the file handle comes first
	ioArgs     = 40
	attrSize   = 88
	pageSize   = 4096
	validFor   = 3600 // seconds that the kernel may keep the attributes
	modeOfFile = syscall.S_IFREG | 0o600
)

// Mount serves a disk of size bytes at path, an existing regular file, with its bytes in the file store. Each flush
// takes at least the time given. It needs root; the mount goes with its mount namespace, or by Close.
func Mount(path, store string, size int64, flush time.Duration, record bool) (*Disk, error) {
	s, err := os.OpenFile(store, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, err
	}
	if err := s.Truncate(size); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	fd, err := syscall.Open("/dev/fuse", syscall.O_RDWR|syscall.O_CLOEXEC, 0)
	if err != nil {
		return nil, errors.Join(&os.PathError{Op: "open", Path: "/dev/fuse", Err: err}, s.Close())
	}
	d := &Disk{path: path, size: size, flush: flush, dev: os.NewFile(uintptr(fd), "/dev/fuse"), store: s}
	if record {
		d.Record = &Record{}
	}
	options := fmt.Sprintf("fd=%d,rootmode=%o,user_id=0,group_id=0,allow_other", fd, modeOfFile)
	if err := syscall.Mount("cutdisk", path, "fuse", syscall.MS_NOSUID|syscall.MS_NODEV, options); err != nil {
		return nil, errors.Join(&os.PathError{Op: "mount", Path: path, Err: err}, d.dev.Close(), s.Close())
	}
	go d.serve()
	return d, nil
}

// Close unmounts the file. No loop device may be on it.
func (d *Disk) Close() error {
	return errors.Join(syscall.Unmount(d.path, syscall.MNT_DETACH), d.dev.Close(), d.store.Close())
}

// serve answers the kernel until the file is unmounted. Writes are taken in the order in which they come; a flush waits
// beside them.
func (d *Disk) serve() {
	buf := make([]byte, maxWrite+pageSize)
	for {
		n, err := syscall.Read(int(d.dev.Fd()), buf)
		if err == syscall.EINTR || err == syscall.ENOENT || err == syscall.EAGAIN {
			continue
		}
		if err != nil || n < inHeader {
			return
		}
		op, unique := binary.NativeEndian.Uint32(buf[4:]), binary.NativeEndian.Uint64(buf[8:])
		switch op {
		case opForget, opForgets, opInterrupt:
		case opFsync:
			go d.sync(unique)
		default:
			out, errno := d.answer(op, buf[inHeader:n])
			d.reply(unique, errno, out)
		}
		if op == opDestroy {
			return
		}
	}
}

func (d *Disk) sync(unique uint64) {
	if d.ill.Load() {
		d.reply(unique, syscall.EIO, nil)
		return
	}
	covered := 0
	if d.Record != nil {
		covered = d.Record.begun()
	}
	time.Sleep(d.flush)
	if d.Record != nil {
		d.Record.flushed(covered)
	}
	d.reply(unique, 0, nil)
}

func (d *Disk) reply(unique uint64, errno syscall.Errno, out []byte) {
	b := make([]byte, outHeader, outHeader+len(out))
	binary.NativeEndian.PutUint32(b, uint32(outHeader+len(out)))
	binary.NativeEndian.PutUint32(b[4:], uint32(-int32(errno)))
	binary.NativeEndian.PutUint64(b[8:], unique)
	// An answer to a request that was interrupted is refused, and nobody waits for it.
	_, _ = syscall.Write(int(d.dev.Fd()), append(b, out...))
}

func (d *Disk) answer(op uint32, in []byte) ([]byte, syscall.Errno) {
	ne := binary.NativeEndian
	switch op {
	case opInit:
		out := make([]byte, 64)
		ne.PutUint32(out, fuseMajor)
		ne.PutUint32(out[4:], fuseMinor)
		ne.PutUint32(out[8:], maxWrite)
		ne.PutUint32(out[12:], fuseFlags)
		ne.PutUint16(out[16:], 64) // requests in the background
		ne.PutUint16(out[18:], 48) // of these before it is congested
		ne.PutUint32(out[20:], maxWrite)
		ne.PutUint32(out[24:], 1) // nanoseconds of a time stamp
		ne.PutUint16(out[28:], maxWrite/pageSize)
		return out, 0
	case opGetattr, opSetattr:
		out := make([]byte, 16+attrSize)
		ne.PutUint64(out, validFor)
		a := out[16:]
		ne.PutUint64(a, 1)
		ne.PutUint64(a[8:], uint64(d.size))
		ne.PutUint64(a[16:], uint64(d.size/512))
		ne.PutUint32(a[60:], modeOfFile)
		ne.PutUint32(a[64:], 1)
		ne.PutUint32(a[80:], pageSize)
		return out, 0
	case opOpen:
		return make([]byte, 16), 0
	case opStatfs:
		out := make([]byte, 80)
		ne.PutUint32(out[40:], pageSize)
		ne.PutUint32(out[44:], 255)
		return out, 0
	case opRelease, opFlush, opDestroy:
		return nil, 0
	case opRead, opWrite:
		if len(in) < ioArgs {
			return nil, syscall.EIO
		}
		offset, size := int64(ne.Uint64(in[ioOffset:])), ne.Uint32(in[ioOffset+8:])
		if op == opRead {
			return d.read(offset, size)
		}
		return d.write(offset, in[ioArgs:min(len(in), ioArgs+int(size))])
	}
	return nil, syscall.ENOSYS
}

func (d *Disk) read(offset int64, size uint32) ([]byte, syscall.Errno) {
	if size > maxWrite || offset < 0 {
		return nil, syscall.EIO
	}
	b := make([]byte, min(int64(size), max(0, d.size-offset)))
	if n, err := d.store.ReadAt(b, offset); err != nil && n < len(b) {
		return nil, syscall.EIO
	}
	return b, 0
}

func (d *Disk) write(offset int64, data []byte) ([]byte, syscall.Errno) {
	if d.ill.Load() {
		return nil, syscall.EIO
	}
	if offset < 0 || offset+int64(len(data)) > d.size {
		return nil, syscall.ENOSPC
	}
	if _, err := d.store.WriteAt(data, offset); err != nil {
		return nil, syscall.EIO
	}
	if d.Record != nil {
		d.Record.wrote(offset, append([]byte(nil), data...))
	}
	out := make([]byte, 8)
	binary.NativeEndian.PutUint32(out, uint32(len(data)))
	return out, 0
}
