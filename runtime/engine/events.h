/*
 * events - the engine's side of the events that engine.h lets others read.
 */
#ifndef RUNTIME_ENGINE_EVENTS_H
#define RUNTIME_ENGINE_EVENTS_H

struct events;

struct events *events_new(void);
void events_free(struct events *e);	/* nobody uses it */
/* Every reader comes to its end. */
void events_stop(struct events *e);

#endif
