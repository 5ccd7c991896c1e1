/* SPDX-License-Identifier: Apache-2.0 */
/* Signals that ask a run to end, for one that wants to leave something behind first. */
#ifndef GLISSADE_CLI_INTERRUPTION_H
#define GLISSADE_CLI_INTERRUPTION_H

/*
 * From now on the first SIGINT, SIGTERM or SIGHUP is only noted; a second one of the same kind ends the process as usual.
 * Those that are ignored, as under nohup, stay so.
 */
void interruption_catch(void);

/* The signal that came; 0 if none did. */
int interruption_signal(void);

/* Ends the process as the signal that came would have, so that whoever started it sees that; if none came, returns. */
void interruption_raise(void);

#endif
