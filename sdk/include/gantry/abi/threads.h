/* Gantry plugin ABI: on which thread a function may run.
 *
 * Each function of the ABI carries one of these tags in its comment.
 *
 *   [main]  The host's lifecycle thread. Calls for one plugin instance never overlap.
 *   [lane]  A lane worker, inside a transaction. Work of one lane is strictly in sequence; lanes of
 *           one plugin run side by side. A lane never waits: no calls, no sleeping, no I/O.
 *   [pool]  A request or job worker, outside any transaction. May block until its deadline.
 *   [any]   Any thread, including the plugin's own.
 *
 * A function called where its tag forbids it does nothing and returns GANTRY_REFUSED.
 */
#ifndef GANTRY_ABI_THREADS_H
#define GANTRY_ABI_THREADS_H
#endif
