// SPDX-License-Identifier: MPL-2.0

package fakeapi

// rendered holds the bodies of pages of one state of a log by what was asked for, so that a page is put together once.
// The server's lock guards it.
type rendered struct {
	bodies map[string][]byte
	size   int
}

// mostRendered bounds the bytes that are held. When they are enough, all are forgotten.
const mostRendered = 128 << 20

func (c *rendered) page(asked string, render func() []byte) []byte {
	body, ok := c.bodies[asked]
	if !ok {
		body = render()
		if c.bodies == nil || c.size+len(body) > mostRendered {
			*c = rendered{bodies: map[string][]byte{}}
		}
		c.bodies[asked] = body
		c.size += len(body)
	}
	return body
}

// forget has to follow each change of the log.
func (c *rendered) forget() { *c = rendered{} }
