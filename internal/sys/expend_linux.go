package sys

import (
	"os"
	"strconv"
)

// Expend has the kernel end a process, and what it starts, rather than others when memory is short: a user's programs
// before the daemons. From a root that has CAP_SYS_RESOURCE they cannot undo it. See oom_score_adj in proc(5).
func Expend(pid int) {
	const half = "500" // as if it had half of all memory besides
	f, err := Open("/proc/"+strconv.Itoa(pid)+"/oom_score_adj", os.O_WRONLY, 0)
	if err != nil {
		return // without /proc the largest process goes
	}
	f.WriteString(half)
	f.Close()
}
