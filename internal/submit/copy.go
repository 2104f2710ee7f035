package submit

import "io"

// Copy queues one message for recipients: head, and then message from where it stands to its end. It returns its
// number, the "qp" of the logs. An error is a *report.Report.
func (c *Client) Copy(head string, message io.Reader, sender string, recipients []string) (qp uint64, err error) {
	m, err := c.Open()
	if err != nil {
		return 0, err
	}
	m.WriteString(head)
	buf := make([]byte, 16<<10)
	for {
		n, err := message.Read(buf)
		m.Write(buf[:n])
		if err == io.EOF {
			break
		}
		if err != nil {
			m.Fail()
			break
		}
	}
	m.From(sender)
	for _, r := range recipients {
		m.To(r)
	}
	err = m.Commit()
	return m.QP(), err
}
