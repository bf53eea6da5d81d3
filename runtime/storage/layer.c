/*
 * layer - layers: written aside, renamed into place, counted, marked as safe, removed
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "compat/base/fd.h"
#include "compat/base/json.h"
#include "runtime/storage/internal.h"

#define RECORD	   "layer.json"
#define SYNCED	   "synced"	/* an empty file: the layer is on the disk */
#define RECORD_MAX 4096

/* LAYER/layer.json */
struct layer_record {
	char *parent;	/* hex, or "" */
	char *boot;	/* boot id of the host when it was written */
	uint64_t link;
};

static const struct json_field record_fields[] = {
	JSON_FIELD(struct layer_record, parent, "parent", JSON_STR, 0),
	JSON_FIELD(struct layer_record, boot, "boot", JSON_STR, JSON_REQUIRED),
	JSON_FIELD(struct layer_record, link, "link", JSON_U64, 0),
};
static const struct json_table record_table =
	JSON_TABLE("layer", struct layer_record, record_fields);

struct layer_writer {
	char *tmp;	/* its name in tmp/ */
	int dirfd;	/* of tmp/NAME */
	int fd;		/* of tmp/NAME/fs */
	struct layer *parent;	/* held; only where layers are not independent */
	enum layer_whiteouts whiteouts;
};

void layer_free(struct layer *layer)
{
	if (!layer)
		return;
	free(layer->hex);
	free(layer->parent);
	free(layer);
}

struct layer *layer_find(struct storage *s, const char *hex)
{
	VEC_EACH(l, &s->layers) {
		if (strcmp((*l)->hex, hex) == 0)
			return *l;
	}
	return NULL;
}

void layer_hold(struct layer *layer)
{
	layer->users++;
}

/* With the lock held: take a doomed and unused layer off the table, or NULL. */
static struct layer *take_if_done(struct storage *s, struct layer *layer)
{
	if (!layer->doomed || layer->users)
		return NULL;
	for (size_t i = 0; i < s->layers.n; i++) {
		if (s->layers.v[i] == layer) {
			VEC_DEL(&s->layers, i);
			return layer;
		}
	}
	return NULL;
}

/* Removes @done, and what is below it and was only waiting for it. */
static int remove_chain(struct storage *s, struct layer *done, struct err *err)
{
	int first = 0;

	while (done) {
		struct layer *next = NULL;
		struct layer *parent;
		int rc = storage_retire(s, "layers", done->hex, first < 0 ? NULL : err);

		if (first == 0)
			first = rc;
		if (done->link) {
			auto_free char *link = xfmt("l/%" PRIu64, done->link);

			(void)unlinkat(s->dirfd, link, 0);	/* dangles: replaced when the number comes again */
		}
		if (done->parent) {
			pthread_mutex_lock(&s->lock);
			parent = layer_find(s, done->parent);
			if (parent) {
				parent->users--;
				next = take_if_done(s, parent);
			}
			pthread_mutex_unlock(&s->lock);
		}
		layer_free(done);
		done = next;
	}
	return first;
}

void layer_release(struct storage *s, struct layer *layer)
{
	struct layer *done;

	if (!layer)
		return;
	pthread_mutex_lock(&s->lock);
	layer->users--;
	done = take_if_done(s, layer);
	pthread_mutex_unlock(&s->lock);
	(void)remove_chain(s, done, NULL);	/* it is off the table; the next open sees what was left */
}

/* ---- at open ---- */

static bool is_trusted(struct storage *s, int fd, const struct layer_record *record, bool *ret_synced)
{
	*ret_synced = faccessat(fd, SYNCED, F_OK, 0) == 0;
	return *ret_synced || str_eq(record->boot, s->boot_id);
}

static struct layer *layer_read(struct storage *s, const char *hex)
{
	auto_free char *path = xfmt("layers/%s", hex);
	auto_fd int fd = openat(s->dirfd, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct layer_record record = {0};
	struct layer *layer = NULL;
	bool synced;

	if (fd < 0 || json_parse_file(&record_table, fd, RECORD, RECORD_MAX, 0, &record, NULL) < 0)
		return NULL;
	if (is_trusted(s, fd, &record, &synced)) {
		layer = xcalloc(1, sizeof(*layer));
		layer->hex = xstrdup(hex);
		layer->parent = str_empty(record.parent) ? NULL : xstrdup(record.parent);
		layer->link = record.link;
		layer->synced = synced;
	}
	json_clear(&record_table, &record);
	return layer;
}

/* A layer whose parent is gone is of no use. Repeats until none is left. */
static void drop_orphans(struct storage *s)
{
	bool again = true;

	while (again) {
		again = false;
		for (size_t i = 0; i < s->layers.n; i++) {
			struct layer *l = s->layers.v[i];

			if (!l->parent || layer_find(s, l->parent))
				continue;
			VEC_DEL(&s->layers, i--);
			(void)storage_retire(s, "layers", l->hex, NULL);	/* in tmp/ at least */
			layer_free(l);
			again = true;
		}
	}
}

int layers_load(struct storage *s, struct err *err)
{
	auto_closedir DIR *dir = NULL;
	struct dirent *e;
	int fd = openat(s->dirfd, "layers", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	dir = fd < 0 ? NULL : fdopendir(fd);
	if (!dir)
		return err_sys(err, errno, "read '%s/layers'", s->dir);
	while ((e = readdir(dir))) {
		struct layer *layer;

		if (!str_is_hex(e->d_name, 64, 64))
			continue;
		layer = layer_read(s, e->d_name);
		if (!layer) {
			(void)storage_retire(s, "layers", e->d_name, NULL);	/* in tmp/ at least */
			continue;
		}
		if (layer->link >= s->next_link)
			s->next_link = layer->link + 1;
		VEC_PUSH(&s->layers, layer);
	}
	drop_orphans(s);
	VEC_EACH(l, &s->layers) {
		if ((*l)->parent)
			layer_find(s, (*l)->parent)->users++;
	}
	return 0;
}

/* ---- writing ---- */

static void writer_free(struct storage *s, struct layer_writer *w)
{
	layer_release(s, w->parent);
	if (w->fd >= 0)
		close(w->fd);
	if (w->dirfd >= 0)
		close(w->dirfd);
	free(w->tmp);
	free(w);
}

int storage_layer_begin(struct storage *s, const char *parent, struct layer_writer **ret, struct err *err)
{
	struct layer_writer *w;
	const char *hex = NULL;
	int rc = parent ? storage_hex(parent, &hex, err) : 0;

	if (rc < 0)
		return rc;
	w = xcalloc(1, sizeof(*w));
	w->dirfd = w->fd = -1;
	w->whiteouts = s->driver->whiteouts;
	if (hex && !s->driver->layers_are_independent) {
		pthread_mutex_lock(&s->lock);
		w->parent = layer_find(s, hex);
		if (w->parent)
			layer_hold(w->parent);
		pthread_mutex_unlock(&s->lock);
		if (!w->parent)
			rc = err_set(err, ERR_NOT_FOUND, "no such layer: %.12s", hex);
	}
	if (rc == 0)
		rc = storage_tmp_create(s, &w->tmp, &w->dirfd, err);
	if (rc == 0)
		rc = s->driver->layer_fill(s, w->dirfd, w->parent, err);
	if (rc == 0) {
		w->fd = openat(w->dirfd, FS_DIR, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		if (w->fd < 0)
			rc = err_sys(err, errno, "open directory of a layer");
	}
	if (rc < 0) {
		storage_layer_abort(s, w);
		return rc;
	}
	*ret = w;
	return 0;
}

int layer_writer_fd(const struct layer_writer *w)
{
	return w->fd;
}

enum layer_whiteouts layer_writer_whiteouts(const struct layer_writer *w)
{
	return w->whiteouts;
}

static int write_record(struct storage *s, struct layer_writer *w, const struct layer *layer,
			struct err *err)
{
	struct layer_record record = {layer->parent, s->boot_id, layer->link};
	AUTO(buf_clear) struct buf text = BUF_INIT;

	json_print(&record_table, &record, 0, &text);
	return file_write(w->dirfd, RECORD, text.data, text.len, 0600, err);
}

/* With the lock held: put the finished directory into its place. 1: somebody was faster. */
static int place(struct storage *s, struct layer_writer *w, struct layer *layer, struct err *err)
{
	auto_free char *from = xfmt("tmp/%s", w->tmp);
	auto_free char *to = xfmt("layers/%s", layer->hex);
	struct layer *parent = NULL;
	struct layer *other = layer_find(s, layer->hex);

	if (other) {
		other->doomed = false;
		return 1;
	}
	if (layer->parent) {
		parent = layer_find(s, layer->parent);
		if (!parent)
			return err_set(err, ERR_NOT_FOUND, "no such layer: %.12s", layer->parent);
	}
	if (renameat(s->dirfd, from, s->dirfd, to) < 0)
		return err_sys(err, errno, "name layer '%s/%s'", s->dir, to);
	if (parent)
		layer_hold(parent);
	VEC_PUSH(&s->layers, layer);
	return 0;
}

int storage_layer_commit(struct storage *s, struct layer_writer *w, const char *chain_id,
			 const char *parent, struct err *err)
{
	const char *hex = NULL, *parent_hex = NULL;
	struct layer *layer = NULL;
	int rc = storage_hex(chain_id, &hex, err);

	if (rc == 0 && parent)
		rc = storage_hex(parent, &parent_hex, err);
	if (rc == 0) {
		layer = xcalloc(1, sizeof(*layer));
		layer->hex = xstrdup(hex);
		layer->parent = xstrdup(parent_hex);
		pthread_mutex_lock(&s->lock);
		layer->link = s->next_link++;
		pthread_mutex_unlock(&s->lock);
		rc = write_record(s, w, layer, err);
	}
	if (rc == 0) {
		close(fd_take(&w->fd));	/* a driver may have to unmount it */
		rc = s->driver->layer_settle(s, w->dirfd, layer, err);
	}
	if (rc == 0) {
		pthread_mutex_lock(&s->lock);
		rc = place(s, w, layer, err);
		pthread_mutex_unlock(&s->lock);
	}
	if (rc == 0) {
		writer_free(s, w);
		return 0;
	}
	if (layer && layer->link) {
		auto_free char *link = xfmt("l/%" PRIu64, layer->link);

		(void)unlinkat(s->dirfd, link, 0);	/* only overlay makes one */
	}
	layer_free(layer);
	storage_layer_abort(s, w);
	return rc < 0 ? err_wrap(err, rc, "commit layer") : 0;
}

void storage_layer_abort(struct storage *s, struct layer_writer *w)
{
	if (!w)
		return;
	if (w->fd >= 0)
		close(fd_take(&w->fd));
	if (w->tmp)
		storage_tmp_discard(s, w->tmp);
	writer_free(s, w);
}

/* ---- the rest of a layer's life ---- */

bool storage_layer_exists(struct storage *s, const char *chain_id)
{
	struct layer *layer;
	const char *hex;

	if (storage_hex(chain_id, &hex, NULL) < 0)
		return false;
	pthread_mutex_lock(&s->lock);
	layer = layer_find(s, hex);
	if (layer)
		layer->doomed = false;
	pthread_mutex_unlock(&s->lock);
	return layer != NULL;
}

int storage_layer_remove(struct storage *s, const char *chain_id, struct err *err)
{
	struct layer *layer, *done = NULL;
	const char *hex;
	int rc = storage_hex(chain_id, &hex, err);

	if (rc < 0)
		return rc;
	pthread_mutex_lock(&s->lock);
	layer = layer_find(s, hex);
	if (layer) {
		layer->doomed = true;
		done = take_if_done(s, layer);
	}
	pthread_mutex_unlock(&s->lock);
	return remove_chain(s, done, err);
}

int storage_layer_list(struct storage *s, struct strv *ret, struct err *err)
{
	pthread_mutex_lock(&s->lock);
	VEC_EACH(l, &s->layers)
		strv_addf(ret, "sha256:%s", (*l)->hex);
	pthread_mutex_unlock(&s->lock);
	return 0;
}

static int sync_disk(int fd)
{
#ifdef SYS_syncfs
	if (syscall(SYS_syncfs, fd) == 0)
		return 0;
	if (errno != ENOSYS)
		return -errno;
#endif
	sync();		/* Linux before 2.6.39; it waits too */
	return 0;
}

static int mark_synced(struct storage *s, const char *hex, struct err *err)
{
	auto_free char *path = xfmt("layers/%s/" SYNCED, hex);
	auto_fd int fd = openat(s->dirfd, path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);

	if (fd < 0 && errno != ENOENT)	/* ENOENT: removed meanwhile */
		return err_sys(err, errno, "mark layer '%s/%s'", s->dir, path);
	return 0;
}

int storage_sync(struct storage *s, struct err *err)
{
	AUTO(strv_clear) struct strv todo = {0};
	int rc = 0;

	pthread_mutex_lock(&s->sync_lock);
	pthread_mutex_lock(&s->lock);
	VEC_EACH(l, &s->layers) {
		if (!(*l)->synced)
			strv_add(&todo, (*l)->hex);
	}
	pthread_mutex_unlock(&s->lock);
	if (todo.n) {
		rc = sync_disk(s->dirfd);
		if (rc < 0)
			rc = err_sys(err, -rc, "write '%s' to the disk", s->dir);
	}
	STRV_EACH(hex, &todo) {
		if (rc == 0)
			rc = mark_synced(s, *hex, err);
		pthread_mutex_lock(&s->lock);
		if (rc == 0 && layer_find(s, *hex))
			layer_find(s, *hex)->synced = true;
		pthread_mutex_unlock(&s->lock);
	}
	pthread_mutex_unlock(&s->sync_lock);
	return rc;
}
