/*
 * ring - blocks of bytes on their way from one thread to another
 */
#include "runtime/image/ring.h"

#include <errno.h>
#include <pthread.h>
#include <stdbool.h>
#include <string.h>

#include "compat/base/str.h"

struct ring {
	pthread_mutex_t lock;
	pthread_cond_t moved;
	char *memory;
	size_t *lengths;
	size_t blocks, block_size;
	size_t head, tail;	/* written and read blocks, counted for ever */
	size_t partial;		/* bytes in the block at head, by ring_write(); the writer's own */
	bool holding;		/* the reader looks at the block at tail; the reader's own */
	bool ended, stopped;
	int rc;
};

struct ring *ring_new(size_t blocks, size_t block_size)
{
	struct ring *r = xcalloc(1, sizeof(*r));

	pthread_mutex_init(&r->lock, NULL);
	pthread_cond_init(&r->moved, NULL);
	r->blocks = blocks;
	r->block_size = block_size;
	r->lengths = xcalloc(blocks, sizeof(*r->lengths));
	r->memory = xcalloc(blocks, block_size);
	return r;
}

void ring_free(struct ring *r)
{
	if (!r)
		return;
	pthread_cond_destroy(&r->moved);
	pthread_mutex_destroy(&r->lock);
	free(r->lengths);
	free(r->memory);
	free(r);
}

int ring_claim(struct ring *r, void **ret)
{
	int rc = 0;

	pthread_mutex_lock(&r->lock);
	while (!r->stopped && r->head - r->tail == r->blocks)
		pthread_cond_wait(&r->moved, &r->lock);
	if (r->stopped)
		rc = -EPIPE;
	else
		*ret = r->memory + r->head % r->blocks * r->block_size;
	pthread_mutex_unlock(&r->lock);
	return rc;
}

void ring_commit(struct ring *r, size_t len)
{
	if (!len)
		return;
	pthread_mutex_lock(&r->lock);
	r->lengths[r->head % r->blocks] = len;
	r->head++;
	pthread_cond_signal(&r->moved);
	pthread_mutex_unlock(&r->lock);
}

int ring_write(struct ring *r, const void *data, size_t len)
{
	const char *p = data;

	while (len) {
		size_t n;
		void *block;
		int rc = ring_claim(r, &block);

		if (rc < 0)
			return rc;
		n = r->block_size - r->partial < len ? r->block_size - r->partial : len;
		memcpy((char *)block + r->partial, p, n);
		r->partial += n;
		p += n;
		len -= n;
		if (r->partial == r->block_size) {
			r->partial = 0;
			ring_commit(r, r->block_size);
		}
	}
	return 0;
}

void ring_end(struct ring *r, int rc)
{
	size_t rest = r->partial;

	r->partial = 0;
	ring_commit(r, rest);
	pthread_mutex_lock(&r->lock);
	r->ended = true;
	r->rc = rc;
	pthread_cond_signal(&r->moved);
	pthread_mutex_unlock(&r->lock);
}

ssize_t ring_next(struct ring *r, const void **ret)
{
	ssize_t n;

	pthread_mutex_lock(&r->lock);
	if (r->holding) {
		r->tail++;
		r->holding = false;
		pthread_cond_signal(&r->moved);
	}
	while (!r->ended && r->head == r->tail)
		pthread_cond_wait(&r->moved, &r->lock);
	if (r->head == r->tail) {
		n = r->rc;
	} else {
		*ret = r->memory + r->tail % r->blocks * r->block_size;
		n = (ssize_t)r->lengths[r->tail % r->blocks];
		r->holding = true;
	}
	pthread_mutex_unlock(&r->lock);
	return n;
}

void ring_stop(struct ring *r)
{
	pthread_mutex_lock(&r->lock);
	r->stopped = true;
	pthread_cond_signal(&r->moved);
	pthread_mutex_unlock(&r->lock);
}
