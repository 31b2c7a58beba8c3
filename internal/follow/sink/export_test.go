// SPDX-License-Identifier: MPL-2.0

package sink

// OnceConnected has something done between a connection and what is sent over it.
func (s *SyslogSink) OnceConnected(do func()) *SyslogSink {
	s.connected = do

	return s
}
