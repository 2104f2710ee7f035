package counters

// The slots of Send. New ones go behind the last; Bounds are part of them.
const (
	MessagesNew   = 1
	MessagesEnded = 2
	Bounces       = 3 // to the sender of a message
	DoubleBounces = 4 // of a bounce, to the administrator
	TripleBounces = 5 // thrown away
	deliveries    = 6 // three kinds for each of two channels
	slotsInUse    = 12
	slotsLimit    = 14
	delays        = 16 // for each channel its buckets, and the sum
	delaySlots    = 16
	sessions      = 1 // the slots of Session: so many for each program
	sessionSlots  = 16
)

// The kinds of an end of a delivery.
const (
	Success = iota
	Failure
	Deferral
)

// Bounds returns the upper bounds in seconds of the buckets in which the time from a message's birth to a recipient's
// success falls. The last bucket has none.
func Bounds() []int64 {
	return []int64{1, 2, 5, 10, 30, 60, 300, 900, 3600, 14400, 43200, 86400, 259200, 604800}
}

// Deliveries is the slot of a channel, 0 for local and 1 for remote, and of how a delivery ended.
func Deliveries(channel, kind int) int { return deliveries + 3*channel + kind }

// SlotsInUse and SlotsLimit are of the deliveries at a time that qmail-send has and may have.
func SlotsInUse(channel int) int { return slotsInUse + channel }

// SlotsLimit is the other one.
func SlotsLimit(channel int) int { return slotsLimit + channel }

// Delay is the slot of a bucket; DelaySum that of the sum of seconds.
func Delay(channel, bucket int) int { return delays + channel*delaySlots + bucket }

// DelaySum is the sum of what is in the buckets, in seconds.
func DelaySum(channel int) int { return delays + channel*delaySlots + delaySlots - 1 }

// Bucket returns the bucket of a time.
func Bucket(sec int64) int {
	for n, b := range Bounds() {
		if sec <= b {
			return n
		}
	}
	return len(Bounds())
}

// What a session counts.
const (
	Sessions = iota
	Accepted // messages
	RefusedSoft
	RefusedHard
	WithTLS
	Logins
	LoginsFailed
)

// Programs returns those that count sessions; their places never change.
func Programs() []string { return []string{"qmail-smtpd", "qmail-smtpsd", "qmail-submitd"} }

// OfSession is the slot of what a program counts; 0, which is nobody's, for one that does not.
func OfSession(program string, what int) int {
	for n, p := range Programs() {
		if p == program {
			return sessions + sessionSlots*n + what
		}
	}
	return 0
}
