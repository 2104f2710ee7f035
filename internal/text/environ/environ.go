// Package environ looks into an environment that is a value, a list of NAME=VALUE strings.
package environ

// Get returns the value of a variable and whether it is set. The first entry counts, as for getenv(3).
func Get(env []string, name string) (value string, set bool) {
	for _, e := range env {
		if is(e, name) {
			return e[len(name)+1:], true
		}
	}
	return "", false
}

// With returns a new environment with variables, as NAME=VALUE, in the place of what they were.
func With(env []string, variables ...string) []string {
	names := make([]string, len(variables))
	for i, v := range variables {
		end := 0
		for v[end] != '=' {
			end++
		}
		names[i] = v[:end]
	}
	return append(Without(env, names...), variables...)
}

// Without returns a new environment without the named variables.
func Without(env []string, names ...string) []string {
	out := make([]string, 0, len(env))
	for _, e := range env {
		keep := true
		for _, n := range names {
			keep = keep && !is(e, n)
		}
		if keep {
			out = append(out, e)
		}
	}
	return out
}

func is(entry, name string) bool {
	return len(entry) > len(name) && entry[len(name)] == '=' && entry[:len(name)] == name
}
