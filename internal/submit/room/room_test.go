package room

import "testing"

func TestTheReserveIsASmallPartOfASmallFilesystem(t *testing.T) {
	for _, c := range []struct {
		free, all uint64
		local     bool
		network   bool
	}{
		{64 << 20, 1 << 40, true, true},
		{64<<20 - 1, 1 << 40, true, false},
		{32<<20 - 1, 1 << 40, false, false},
		{1 << 20, 64 << 20, true, false},
		{1<<20 - 1, 64 << 20, false, false},
		{2 << 20, 64 << 20, true, true},
		{0, 0, true, true},
		{0, 40, true, true},
	} {
		if enough(c.free, c.all, Reserve, 1) != c.local || enough(c.free, c.all, Reserve, network) != c.network {
			t.Errorf("%+v is not so", c)
		}
	}
}

func TestWhatCannotBeFoundOutStopsNoMail(t *testing.T) {
	if !InQueue("/nonexistent/queue") {
		t.Error("no room")
	}
}
