package doctor

import (
	"io/fs"
	"os"
	"slices"
	"strings"

	"qmail/internal/site/control"
)

// filtersAreThere looks for the programs that mail goes through, and for the sockets of those that they ask.
func filtersAreThere(s *Site, say sayer) {
	lines, _, err := s.control().List("filters")
	if err != nil {
		return
	}
	var names []string
	for _, l := range lines {
		name, _ := control.Word(l)
		names = append(names, name)
		if fi, err := os.Stat(s.path("bin", name)); strings.Contains(name, "/") || err != nil || fi.Mode()&0o111 == 0 {
			say(Fault, "control/filters names "+word(name)+", and there is no such program: no mail of strangers is taken.",
				s.edit("filters"))
		}
	}
	servers, ok, err := s.control().List("milters")
	if err != nil || !slices.Contains(names, "qmail-milter") {
		return
	}
	if !ok || len(servers) == 0 {
		say(Warning, "control/filters names qmail-milter, and control/milters nobody whom it could ask.",
			s.edit("milters"))
	}
	for _, l := range servers {
		where, _ := control.Word(l)
		_, path, _ := strings.Cut(where, ":")
		if !strings.HasPrefix(path, "/") {
			continue
		}
		if fi, err := os.Stat(s.Root + path); err != nil || fi.Mode().Type() != fs.ModeSocket {
			say(Warning, "There is no socket "+word(path)+", which control/milters names.", "ls -l "+word(path))
		}
	}
}
