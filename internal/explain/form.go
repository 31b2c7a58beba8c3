// SPDX-License-Identifier: MPL-2.0

package explain

// Form says which values an argument may have. Nothing of it says what a value is: it
// may be a secret, which only the front end knows, and that shows it where it may.
type Form struct {
	// Description is what to give.
	Description string
	// Values are all values there are, where they are few enough to be listed.
	Values []string
	// Check says what is wrong with a value, in words that follow "it is".
	Check func(value string) error
	// Explain, where not nil, says it in another way. The name is that of the argument.
	Explain func(name string, err error) Problem
	// Without is what it means to leave a list of such values out; reading everything
	// where it is "".
	Without string
}

// Problem says why a value cannot be used, where it cannot.
func (f Form) Problem(name, value string) (Problem, bool) {
	err := f.Check(value)

	switch {
	case err == nil:
		return Problem{}, false
	case f.Explain != nil:
		return f.Explain(name, err), true
	default:
		return f.Refusal(name, err), true
	}
}

// Refusal says it as most forms do.
func (f Form) Refusal(name string, err error) Problem {
	return Problem{
		Summary: CheckConfiguration,
		Cause:   "The value of " + Plain(name) + " cannot be used: it is " + Plain(err.Error()) + ".",
		Next:    "Give " + Plain(f.Description) + ".",
	}
}
