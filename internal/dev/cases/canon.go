package cases

import (
	"regexp"
	"strings"
)

// canons are what this suite says otherwise than the recorded peers, on purpose: see docs/DEVIATIONS.md. Both sides are
// brought to one form before they are compared.
func canons() []substitution {
	re := regexp.MustCompile
	return []substitution{
		{re(`Sorry, no mailbox here by that name\.`), "No such address."},
		{re(`Sorry,_no_mailbox_here_by_that_name\.`), "No_such_address."},
		{re(`(?m)^EHLO `), "HELO "},
		{re(`(?m)^250-SIZE[^\n]*\n`), ""},
		{re(`(?m)^214 [^\r\n]*`), "214 @TEXT@"},
		{re(`(?m)^451 See [^\r\n]*`), "451 See @TEXT@"},
	}
}

// canon brings a result to that form. In lines of deliveries, parentheses are underscores.
func canon(v any, subs []substitution, deliveries *regexp.Regexp) any {
	switch v := v.(type) {
	case string:
		return deliveries.ReplaceAllStringFunc(replaceAll(v, subs), func(m string) string {
			return strings.NewReplacer("(", "_", ")", "_").Replace(m)
		})
	case []any:
		out := make([]any, len(v))
		for i := range v {
			out[i] = canon(v[i], subs, deliveries)
		}
		return out
	case map[string]any:
		out := make(map[string]any, len(v))
		for k, x := range v {
			out[k] = canon(x, subs, deliveries)
		}
		return out
	}
	return v
}
