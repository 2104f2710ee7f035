package testqmail

import (
	"encoding/binary"
	"net"
	"syscall"
)

// loopbackUp brings up lo by a netlink message.
func loopbackUp() error {
	s, err := syscall.Socket(syscall.AF_NETLINK, syscall.SOCK_RAW|syscall.SOCK_CLOEXEC, syscall.NETLINK_ROUTE)
	if err != nil {
		return err
	}
	defer syscall.Close(s)
	const size, first = syscall.SizeofNlMsghdr + syscall.SizeofIfInfomsg, 1
	b := binary.NativeEndian.AppendUint32(nil, size)
	b = binary.NativeEndian.AppendUint16(b, syscall.RTM_NEWLINK)
	b = binary.NativeEndian.AppendUint16(b, syscall.NLM_F_REQUEST|syscall.NLM_F_ACK)
	b = append(b, make([]byte, 8)...) // sequence, port
	b = append(b, make([]byte, 4)...) // family, type
	b = binary.NativeEndian.AppendUint32(b, first)
	b = binary.NativeEndian.AppendUint32(b, syscall.IFF_UP)
	b = binary.NativeEndian.AppendUint32(b, syscall.IFF_UP)
	if err := syscall.Sendto(s, b, 0, &syscall.SockaddrNetlink{Family: syscall.AF_NETLINK}); err != nil {
		return err
	}
	answer := make([]byte, 4096)
	n, _, err := syscall.Recvfrom(s, answer, 0)
	if err == nil && n >= syscall.SizeofNlMsghdr+4 {
		if code := int32(binary.NativeEndian.Uint32(answer[syscall.SizeofNlMsghdr:])); code != 0 {
			return syscall.Errno(-code)
		}
	}
	return err
}

// answerNoName is a DNS server that knows no name.
func answerNoName() error {
	c, err := net.ListenPacket("udp", "127.0.0.1:53")
	if err != nil {
		return err
	}
	go func() {
		b := make([]byte, 4096)
		for {
			n, from, err := c.ReadFrom(b)
			if err != nil {
				return
			}
			if end := questionEnd(b[:n]); end > 0 {
				b[2] = b[2]&0x79 | 0x80 // an answer; opcode and RD as asked
				b[3] = 0x80 | 3         // recursion available; no such name
				copy(b[6:12], make([]byte, 6))
				c.WriteTo(b[:end], from)
			}
		}
	}()
	return nil
}

// questionEnd returns where the first question of a query ends, or 0.
func questionEnd(b []byte) int {
	for i := 12; i < len(b); i += int(b[i]) + 1 {
		if b[i] == 0 && i+5 <= len(b) {
			return i + 5
		}
	}
	return 0
}
