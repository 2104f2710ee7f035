package send

// maxTasks bounds the goroutines that wait for the disk, and the files they hold open.
const maxTasks = 24

// maxEndings bounds those that wait for a qmail-queue as well, so that a flood of bounces keeps nobody else from
// the disk.
const maxEndings = injectors

// A task touches the disk. It sees only the values it was made with, and returns what the owner does with its result.
type task func() (settle func())

// tasks are those that run, and those that wait until they may.
type tasks struct {
	settled chan func()
	limit   int
	running int
	waiting []task
}

func newTasks(limit int) tasks { return tasks{settled: make(chan func(), limit), limit: limit} }

// start runs the task beside the owner, now or when others have ended.
func (t *tasks) start(fn task) {
	if t.running >= t.limit {
		t.waiting = append(t.waiting, fn)
		return
	}
	t.running++
	go func() { t.settled <- fn() }()
}

// ended takes note of a task that has come back.
func (t *tasks) ended() {
	t.running--
	if len(t.waiting) > 0 {
		fn := t.waiting[0]
		t.waiting = t.waiting[1:]
		t.start(fn)
	}
}

// idle reports whether nothing runs or waits.
func (t *tasks) idle() bool { return t.running == 0 && len(t.waiting) == 0 }
