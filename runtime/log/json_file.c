/*
 * json_file - docker's log format, written in batches and rotated by size
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "compat/base/path.h"
#include "compat/base/str.h"
#include "compat/base/time.h"
#include "runtime/log/json_text.h"
#include "runtime/log/writer.h"

#define BATCH_BYTES ((size_t)256 << 10)
#define TAIL_MAX    96	/* of a record behind its text, without the attributes */

/* The end of a record, from the closing quote on, for one stream at one moment. */
struct tail {
	char *text;
	size_t len;
	int64_t ns;
};

struct json_file {
	int fd;
	uint64_t inode, size;
	int64_t max_bytes;	/* -1: no rotation */
	uint64_t rotate_at;
	int max_files;
	char *batch;		/* mapped while there is traffic */
	size_t len, cap, records;
	bool torn;		/* half a record is in the file and could not be cut off */
	struct buf attrs;	/* "attrs":{...}, with its comma, or empty */
	struct tail tails[2];
	char second[TIME_RFC3339_SIZE];
	int64_t second_at;
};

static void note_failure(struct log_writer *w, int code)
{
	w->counts.errors++;
	w->counts.last_error = code;
}

/* ---- files ------------------------------------------------------------------------------------------------------------- */

static int open_file(const char *path, int flags, struct json_file *f, struct err *err)
{
	auto_fd int fd = open(path, O_RDWR | O_APPEND | O_CREAT | O_CLOEXEC | O_NOFOLLOW | flags, 0640);
	struct stat st;
	char last;

	if (fd < 0)
		return err_sys(err, errno, "open log '%s'", path);
	if (fstat(fd, &st) < 0)
		return err_sys(err, errno, "stat log '%s'", path);
	if (!S_ISREG(st.st_mode))
		return err_set(err, ERR_INVALID, "log '%s' is not a regular file", path);
	f->torn = st.st_size > 0 && pread(fd, &last, 1, st.st_size - 1) == 1 && last != '\n';
	if (f->fd >= 0)
		close(f->fd);
	f->fd = fd_take(&fd);
	f->inode = st.st_ino;
	f->size = (uint64_t)st.st_size;
	f->rotate_at = f->max_bytes < 0 ? UINT64_MAX : (uint64_t)f->max_bytes;
	return 0;
}

/* PATH.1 becomes PATH.2 and so on; @fresh, which is empty, becomes PATH. */
static int shift_files(const char *path, int max_files, const char *fresh)
{
	for (int i = max_files - 1; i > 0; i--) {
		auto_free char *to = xfmt("%s.%d", path, i);
		auto_free char *from = i > 1 ? xfmt("%s.%d", path, i - 1) : xstrdup(path);

		if (rename(from, to) < 0 && errno != ENOENT)
			return -errno;
	}
	return rename(fresh, path) < 0 ? -errno : 0;
}

/* The new file exists before an old one moves, so that a full disk changes nothing. */
static void rotate(struct log_writer *w, struct json_file *f)
{
	const char *path = w->config.path;
	auto_free char *fresh = xfmt("%s.new", path);
	struct json_file next = {.fd = -1, .max_bytes = f->max_bytes};
	struct err ignored = ERR_INIT;	/* counted */
	int rc;

	(void)unlink(fresh);	/* of a rotation that was interrupted */
	rc = open_file(fresh, O_EXCL, &next, &ignored);
	if (rc == 0)
		rc = shift_files(path, f->max_files, fresh);
	if (rc < 0) {
		note_failure(w, -rc);
		if (next.fd >= 0)
			close(next.fd);
		(void)unlink(fresh);	/* may be absent */
		f->rotate_at = f->size + (uint64_t)f->max_bytes;	/* try again then */
		return;
	}
	close(f->fd);
	f->fd = next.fd;
	f->inode = next.inode;
	f->size = 0;
	f->rotate_at = next.rotate_at;
}

/* ---- batches ----------------------------------------------------------------------------------------------------------- */

static size_t count_records(const char *p, const char *end)
{
	size_t n = 0;

	while ((p = json_text_newline(p, end))) {
		n++;
		p++;
	}
	return n;
}

/* @done bytes of the batch are in the file, then @code happened: leave whole records there and drop the others. */
static void drop_rest(struct log_writer *w, struct json_file *f, size_t done, int code)
{
	const char *cut = done ? memrchr(f->batch, '\n', done) : NULL;
	size_t whole = cut ? (size_t)(cut - f->batch) + 1 : 0, lost;

	if (whole < done) {
		if (ftruncate(f->fd, (off_t)(f->size - (done - whole))) == 0)
			f->size -= done - whole;
		else
			f->torn = true;
	}
	lost = count_records(f->batch + whole, f->batch + f->len);
	w->counts.records += f->records - lost;
	w->counts.bytes += whole;
	w->counts.dropped_records += lost;
	w->counts.dropped_bytes += f->len - whole;
	note_failure(w, code);
}

static int write_batch(struct json_file *f, size_t *done)
{
	if (f->torn) {
		if (write(f->fd, "\n", 1) != 1)
			return errno;
		f->torn = false;
		f->size++;
	}
	while (*done < f->len) {
		ssize_t n = write(f->fd, f->batch + *done, f->len - *done);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n < 0 ? errno : EIO;
		*done += (size_t)n;
		f->size += (uint64_t)n;
	}
	return 0;
}

static void json_flush(struct log_writer *w)
{
	struct json_file *f = w->state;
	size_t done = 0;
	int code;

	if (!f->len)
		return;
	code = write_batch(f, &done);
	if (code) {
		drop_rest(w, f, done, code);
	} else {
		w->counts.records += f->records;
		w->counts.bytes += f->len;
		w->counts.last_error = 0;
	}
	f->len = 0;
	f->records = 0;
}

/* Room for @need bytes in the batch, which must be flushed. */
static void grow_batch(struct json_file *f, size_t need)
{
	size_t cap = need > BATCH_BYTES ? need : BATCH_BYTES;

	if (f->cap >= need)
		return;
	if (f->batch)
		munmap(f->batch, f->cap);
	f->batch = mmap(NULL, cap, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (f->batch == MAP_FAILED)
		abort();
	f->cap = cap;
}

/* ---- records ----------------------------------------------------------------------------------------------------------- */

static void time_text(struct json_file *f, int64_t ns, char out[TIME_RFC3339_SIZE])
{
	int64_t second = ns / 1000000000;
	uint32_t rest = (uint32_t)(ns % 1000000000);

	if (second != f->second_at || !f->second[0]) {
		time_rfc3339(f->second, second * 1000000000 + 1);
		f->second_at = second;
	}
	memcpy(out, f->second, TIME_RFC3339_SIZE);
	for (int i = 28; i > 19; i--, rest /= 10)
		out[i] = (char)('0' + rest % 10);
}

static const struct tail *tail_at(struct json_file *f, enum log_stream stream, int64_t ns)
{
	struct tail *t = &f->tails[stream - 1];
	char moment[TIME_RFC3339_SIZE];

	if (t->text && t->ns == ns)
		return t;
	if (!t->text)
		t->text = xcalloc(1, TAIL_MAX + f->attrs.len);
	time_text(f, ns, moment);
	t->len = (size_t)sprintf(t->text, "\",\"stream\":\"%s\",%s\"time\":\"%.30s\"}\n",
				 stream == LOG_STDOUT ? "stdout" : "stderr", buf_cstr(&f->attrs), moment);
	t->ns = ns;
	return t;
}

static void json_record(struct log_writer *w, enum log_stream stream, const char *line, size_t len, bool whole,
			int64_t now_ns)
{
	struct json_file *f = w->state;
	const struct tail *tail = tail_at(f, stream, now_ns);
	size_t need = 16 + len * JSON_TEXT_GROWTH + tail->len;
	char *out;

	if (f->len + need > f->cap || f->size + f->len >= f->rotate_at) {
		json_flush(w);
		grow_batch(f, need);
		if (f->size >= f->rotate_at)
			rotate(w, f);
	}
	out = f->batch + f->len;
	memcpy(out, "{\"log\":\"", 8);
	out = json_text_escape(out + 8, line, len);
	if (whole) {
		memcpy(out, "\\n", 2);
		out += 2;
	}
	memcpy(out, tail->text, tail->len);
	f->len = (size_t)(out + tail->len - f->batch);
	f->records++;
}

/* ---- the rest ---------------------------------------------------------------------------------------------------------- */

static void json_close(struct log_writer *w)
{
	struct json_file *f = w->state;

	if (f->fd >= 0)
		close(f->fd);
	if (f->batch)
		munmap(f->batch, f->cap);
	for (size_t i = 0; i < ARRAY_SIZE(f->tails); i++)
		free(f->tails[i].text);
	buf_clear(&f->attrs);
	free(f);
	w->state = NULL;
}

static void print_attrs(const struct strmap *attrs, struct buf *out)
{
	if (!attrs->n)
		return;
	buf_str(out, "\"attrs\":{");
	VEC_EACH(pair, attrs) {
		if (pair != attrs->v)
			buf_char(out, ',');
		json_print_str(out, pair->key, strlen(pair->key));
		buf_char(out, ':');
		json_print_str(out, pair->val, strlen(pair->val));
	}
	buf_str(out, "},");
}

static int json_open(struct log_writer *w, struct err *err)
{
	struct json_file *f = xcalloc(1, sizeof(*f));
	int rc;

	f->fd = -1;
	w->state = f;
	if (str_empty(w->config.path) || w->config.path[0] != '/')
		return err_set(err, ERR_INVALID, "log driver json-file needs an absolute path");
	rc = log_json_limits(&w->config.opts, &f->max_bytes, &f->max_files, err);
	if (rc < 0)
		return rc;
	print_attrs(&w->config.attrs, &f->attrs);
	return open_file(w->config.path, 0, f, err);
}

static int json_reopen(struct log_writer *w, struct err *err)
{
	json_flush(w);
	return open_file(w->config.path, 0, w->state, err);
}

static void json_trim(struct log_writer *w)
{
	struct json_file *f = w->state;

	json_flush(w);
	if (f->batch)
		munmap(f->batch, f->cap);
	f->batch = NULL;
	f->cap = 0;
}

static struct log_position json_position(const struct log_writer *w)
{
	const struct json_file *f = w->state;

	return (struct log_position){f->inode, f->size + f->len};
}

static int json_check(const struct strmap *opts, struct err *err)
{
	int64_t max_bytes;
	int max_files;

	return log_json_limits(opts, &max_bytes, &max_files, err);
}

const struct log_ops log_json_ops = {
	.name = "json-file",
	.reads = true,
	.check = json_check,
	.open = json_open,
	.record = json_record,
	.flush = json_flush,
	.reopen = json_reopen,
	.trim = json_trim,
	.position = json_position,
	.close = json_close,
};
