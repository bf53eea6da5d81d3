/*
 * reader - the files of a json-file log as one stream, while they grow and rotate
 */
#include <errno.h>
#include <poll.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>

#include "compat/base/path.h"
#include "compat/base/str.h"
#include "compat/base/time.h"
#include "runtime/log/files.h"
#include "runtime/log/json_text.h"
#include "runtime/log/record.h"

#define READ_BYTES    ((size_t)256 << 10)
#define LINE_BYTES    ((size_t)8 << 20)	/* a longer line is no record */
#define FRAME_BYTES   32768		/* records of one stream share a frame up to this size */
#define POLL_MS	      100		/* where inotify is out of instances */
#define FRAME_HEADER  8

struct log_reader {
	struct log_read_options o;
	char *path;
	log_file_vec files;	/* v[0] is being read */
	char *buf;		/* bytes of v[0] that are not parsed yet */
	size_t start, len, cap;
	bool skip_line;		/* too long: drop up to the newline */
	bool ended;
	struct buf spill;	/* a record that was larger than the caller's room */
	struct buf details;	/* of: */
	struct buf details_of;
	int wake_fd, inotify_fd;
	atomic_bool stopped, canceled;
};

/* ---- opening ----------------------------------------------------------------------------------------------------------- */

static void drop_file(struct log_reader *r)
{
	close(r->files.v[0].fd);
	VEC_DEL(&r->files, 0);
	r->start = r->len = 0;
	r->skip_line = false;
}

static void watch(struct log_reader *r)
{
	auto_free char *dir = xstrdup(r->path);
	char *slash = strrchr(dir, '/');

	if (slash)
		*slash = '\0';
	r->inotify_fd = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
	if (r->inotify_fd < 0)
		return;	/* then it polls */
	if (inotify_add_watch(r->inotify_fd, slash ? dir : ".", IN_MODIFY | IN_MOVED_TO | IN_CREATE) < 0) {
		close(r->inotify_fd);
		r->inotify_fd = -1;
	}
}

int log_reader_open(const struct log_read_options *options, struct log_reader **ret, struct err *err)
{
	AUTO(log_reader_free) struct log_reader *r = xcalloc(1, sizeof(*r));
	int rc;

	r->o = *options;
	r->path = xstrdup(options->path);
	r->o.path = r->path;
	r->inotify_fd = -1;
	r->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (r->wake_fd < 0)
		return err_sys(err, errno, "eventfd");
	if (options->follow)
		watch(r);	/* before the first look, so that no change is missed */
	rc = log_files_open(r->path, &r->files, err);
	if (rc == 0 && options->tail >= 0)
		rc = log_files_tail(&r->files, (uint64_t)options->tail, err);
	if (rc < 0)
		return rc;
	/* Files that were last written before the time in question. */
	while (r->files.n > 1 && options->since_ns > 0 && r->files.v[0].mtime_s + 1 < options->since_ns / 1000000000)
		drop_file(r);
	*ret = take(r);
	return 0;
}

void log_reader_free(struct log_reader *r)
{
	if (!r)
		return;
	log_files_clear(&r->files);
	if (r->wake_fd >= 0)
		close(r->wake_fd);
	if (r->inotify_fd >= 0)
		close(r->inotify_fd);
	buf_clear(&r->spill);
	buf_clear(&r->details);
	buf_clear(&r->details_of);
	free(r->buf);
	free(r->path);
	free(r);
}

static void wake(struct log_reader *r)
{
	static const uint64_t one = 1;

	(void)!write(r->wake_fd, &one, sizeof(one));	/* full means awake */
}

void log_reader_stop(struct log_reader *r)
{
	atomic_store(&r->stopped, true);
	wake(r);
}

void log_reader_cancel(struct log_reader *r)
{
	atomic_store(&r->canceled, true);
	wake(r);
}

/* ---- records to output ------------------------------------------------------------------------------------------------- */

struct sink {
	char *at, *end;
	char *frame;		/* header of the open frame, or NULL */
	enum log_stream stream;
};

static void end_frame(struct sink *s)
{
	size_t n;

	if (!s->frame)
		return;
	n = (size_t)(s->at - s->frame) - FRAME_HEADER;
	s->frame[4] = (char)(n >> 24);
	s->frame[5] = (char)(n >> 16);
	s->frame[6] = (char)(n >> 8);
	s->frame[7] = (char)n;
	s->frame = NULL;
}

static void need_frame(struct sink *s, enum log_stream stream)
{
	if (s->frame && (s->stream != stream || s->at - s->frame >= FRAME_BYTES))
		end_frame(s);
	if (s->frame)
		return;
	s->frame = s->at;
	s->stream = stream;
	memset(s->at, 0, FRAME_HEADER);
	s->at[0] = (char)stream;
	s->at += FRAME_HEADER;
}

static int compare_pairs(const void *a, const void *b)
{
	return strcmp(((const struct strpair *)a)->key, ((const struct strpair *)b)->key);
}

static void add_query_escaped(struct buf *out, const char *s)
{
	static const char plain[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.~";

	for (; *s; s++) {
		if (strchr(plain, *s))
			buf_char(out, *s);
		else if (*s == ' ')
			buf_char(out, '+');
		else
			buf_fmt(out, "%%%02X", (unsigned char)*s);
	}
}

struct attrs {
	struct strmap map;
};
static const struct json_field attrs_fields[] = {JSON_FIELD(struct attrs, map, "attrs", JSON_STRMAP, 0)};
static const struct json_table attrs_table = JSON_TABLE("record", struct attrs, attrs_fields);

/* "k=v,k=v ", made anew only when the attributes differ from the last record's. */
static void make_details(struct log_reader *r, const struct log_record *rec)
{
	struct err ignored = ERR_INIT;	/* attributes that are no strings are left out */
	struct attrs attrs = {0};
	AUTO(buf_clear) struct buf text = BUF_INIT;

	if (r->details_of.len == rec->attrs_len && (!rec->attrs_len || !memcmp(r->details_of.data, rec->attrs, rec->attrs_len)))
		return;
	buf_reset(&r->details_of);
	if (rec->attrs_len)
		buf_add(&r->details_of, rec->attrs, rec->attrs_len);
	buf_reset(&r->details);
	buf_str(&text, "{\"attrs\":");
	buf_add(&text, rec->attrs ? rec->attrs : "{}", rec->attrs ? rec->attrs_len : 2);
	buf_char(&text, '}');
	if (json_parse(&attrs_table, text.data, text.len, 0, "attrs", &attrs, &ignored) < 0)
		return;
	if (attrs.map.n)
		qsort(attrs.map.v, attrs.map.n, sizeof(*attrs.map.v), compare_pairs);
	VEC_EACH(pair, &attrs.map) {
		if (pair != attrs.map.v)
			buf_char(&r->details, ',');
		add_query_escaped(&r->details, pair->key);
		buf_char(&r->details, '=');
		add_query_escaped(&r->details, pair->val);
	}
	buf_char(&r->details, ' ');
	json_clear(&attrs_table, &attrs);
}

static int64_t record_time(const struct log_record *rec)
{
	char text[64];
	int64_t ns;

	if (!rec->time || rec->time_len >= sizeof(text))
		return 0;
	memcpy(text, rec->time, rec->time_len);
	text[rec->time_len] = '\0';
	return time_parse_rfc3339(text, &ns) == 0 ? ns : 0;
}

/* Nine digits and a Z, or as such. */
static size_t put_time(char *out, const struct log_record *rec)
{
	enum { NANO_LEN = 30 };
	char text[TIME_RFC3339_SIZE];
	int64_t ns;

	if (rec->time_len == NANO_LEN && rec->time[NANO_LEN - 1] == 'Z') {
		memcpy(out, rec->time, NANO_LEN);
	} else {
		ns = record_time(rec);
		time_rfc3339(text, ns ? ns : 1);
		memcpy(out, text, NANO_LEN);
	}
	out[NANO_LEN] = ' ';
	return NANO_LEN + 1;
}

enum verdict { RECORD_TAKEN, RECORD_SKIPPED, RECORD_LAST };

static enum verdict filter(const struct log_reader *r, const struct log_record *rec)
{
	int64_t ns;

	if (r->o.since_ns || r->o.until_ns) {
		ns = record_time(rec);
		if (r->o.until_ns && ns > r->o.until_ns)
			return RECORD_LAST;
		if (ns < r->o.since_ns)
			return RECORD_SKIPPED;
	}
	if (rec->stream == LOG_STDOUT ? !r->o.want_stdout : !r->o.want_stderr)
		return RECORD_SKIPPED;
	return RECORD_TAKEN;
}

/* What a record of a line of @len bytes can need at most. */
static size_t room_for(const struct log_reader *r, size_t len)
{
	return FRAME_HEADER + TIME_RFC3339_SIZE + len + (r->o.details ? 3 * len + 1 : 0);
}

/* Write the record of the line [s, end) to @sink, which has room. */
static enum verdict put_record(struct log_reader *r, const char *s, const char *end, struct sink *sink)
{
	struct log_record rec;
	/* Where the text goes when nothing else does: no copy in the usual case. */
	bool fresh = r->o.multiplexed && !sink->frame;
	char *text = sink->at + (fresh ? FRAME_HEADER : 0), *wanted;
	enum verdict verdict;

	if (!log_record_parse(s, end, text, &rec))
		return RECORD_SKIPPED;
	verdict = filter(r, &rec);
	if (verdict != RECORD_TAKEN)
		return verdict;
	if (r->o.details)
		make_details(r, &rec);
	if (r->o.multiplexed && sink->frame && (sink->stream != rec.stream || sink->at - sink->frame >= FRAME_BYTES)) {
		memmove(text + FRAME_HEADER, text, rec.text_len);
		text += FRAME_HEADER;
	}
	if (r->o.multiplexed)
		need_frame(sink, rec.stream);
	wanted = sink->at + (r->o.timestamps ? 31 : 0) + (r->o.details ? r->details.len : 0);
	if (wanted != text)
		memmove(wanted, text, rec.text_len);
	if (r->o.timestamps)
		sink->at += put_time(sink->at, &rec);
	if (r->o.details && r->details.len) {
		memcpy(sink->at, r->details.data, r->details.len);
		sink->at += r->details.len;
	}
	sink->at = wanted + rec.text_len;
	return RECORD_TAKEN;
}

/* A record that is larger than all of the caller's room: made aside, handed out in pieces. */
static enum verdict spill_record(struct log_reader *r, const char *s, const char *end)
{
	struct sink sink = {0};
	enum verdict verdict;

	buf_reset(&r->spill);
	sink.at = buf_room(&r->spill, room_for(r, (size_t)(end - s)));
	verdict = put_record(r, s, end, &sink);
	end_frame(&sink);
	r->spill.len = (size_t)(sink.at - r->spill.data);
	return verdict;
}

/* ---- lines ------------------------------------------------------------------------------------------------------------- */

/* Parse whole lines of the buffer into @sink. False when the room is used up. */
static bool put_lines(struct log_reader *r, struct sink *sink, bool empty)
{
	while (r->len && !r->ended) {
		const char *s = r->buf + r->start, *newline = json_text_newline(s, s + r->len);
		enum verdict verdict = RECORD_SKIPPED;
		size_t line;

		if (!newline)
			return true;
		line = (size_t)(newline - s);
		if (!r->skip_line && room_for(r, line) > (size_t)(sink->end - sink->at)) {
			if (!empty || sink->frame)
				return false;
			verdict = spill_record(r, s, newline);
		} else if (!r->skip_line) {
			char *before = sink->at;

			verdict = put_record(r, s, newline, sink);
			empty &= sink->at == before;
		}
		r->skip_line = false;
		r->start += line + 1;
		r->len -= line + 1;
		if (verdict == RECORD_LAST)
			r->ended = true;
		if (r->spill.len)
			return false;
	}
	return true;
}

/* Room in the buffer for one more read. */
static void make_room(struct log_reader *r)
{
	if (r->start && r->len)
		memmove(r->buf, r->buf + r->start, r->len);
	r->start = 0;
	if (r->len >= LINE_BYTES) {
		r->len = 0;
		r->skip_line = true;
	}
	if (r->cap - r->len >= READ_BYTES / 2)
		return;
	r->cap = r->len + READ_BYTES;
	r->buf = xrealloc(r->buf, r->cap);
}

/* How much of the file may be read: all, or up to the end that was asked for. */
static size_t allowed(const struct log_reader *r, size_t want)
{
	const struct log_file *f = &r->files.v[0];
	uint64_t left;

	if (!r->o.end.inode || f->inode != r->o.end.inode)
		return want;
	left = f->offset < r->o.end.offset ? r->o.end.offset - f->offset : 0;
	return left < want ? (size_t)left : want;
}

static ssize_t read_more(struct log_reader *r, struct err *err)
{
	struct log_file *f = &r->files.v[0];
	size_t want;
	ssize_t n;

	make_room(r);
	want = allowed(r, r->cap - r->len);
	if (!want)
		return 0;
	do
		n = pread(f->fd, r->buf + r->len, want, (off_t)f->offset);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return err_sys(err, errno, "read log '%s'", r->path);
	r->len += (size_t)n;
	f->offset += (uint64_t)n;
	return n;
}

/* ---- from file to file ------------------------------------------------------------------------------------------------- */

/* Truncated in place by somebody else: begin again. */
static bool was_truncated(struct log_reader *r)
{
	struct stat st;

	if (fstat(r->files.v[0].fd, &st) < 0 || (uint64_t)st.st_size >= r->files.v[0].offset)
		return false;
	r->files.v[0].offset = 0;
	r->start = r->len = 0;
	return true;
}

/* 1: there is another file to read now; 0: not (yet). */
static int next_file(struct log_reader *r, struct err *err)
{
	struct log_file next;
	struct stat st;
	int rc;

	if (r->o.end.inode && r->files.v[0].inode == r->o.end.inode)
		return 0;
	if (r->files.n > 1) {
		drop_file(r);
		return 1;
	}
	if (!r->o.follow || (stat(r->path, &st) == 0 && st.st_ino == r->files.v[0].inode))
		return 0;
	rc = log_files_next(r->path, r->files.v[0].inode, &next, err);
	if (rc <= 0)
		return rc;
	VEC_PUSH(&r->files, next);	/* read what came between the last look and the rotation first */
	return 1;
}

/* 1: look again; 0: the time is over. */
static int wait_for_change(struct log_reader *r, int64_t until_ms)
{
	struct pollfd fds[2] = {{.fd = r->wake_fd, .events = POLLIN}, {.fd = r->inotify_fd, .events = POLLIN}};
	int64_t left = until_ms < 0 ? -1 : until_ms - time_mono_ms();
	char events[4096] __attribute__((aligned(8)));

	if (until_ms >= 0 && left <= 0)
		return 0;
	if (r->inotify_fd < 0 && (left < 0 || left > POLL_MS))
		left = POLL_MS;
	if (r->o.until_ns) {
		int64_t to_end = (r->o.until_ns - time_now_ns()) / 1000000 + 1;

		if (to_end <= 0)
			r->ended = true;
		if (left < 0 || to_end < left)
			left = to_end > 0 ? to_end : 0;
	}
	(void)poll(fds, 2, (int)left);	/* whatever it says, the files are looked at again */
	while (r->inotify_fd >= 0 && read(r->inotify_fd, events, sizeof(events)) == (ssize_t)sizeof(events))
		;
	return 1;
}

/* No more whole lines in the buffer: get more. 1, 0 at the end for good, -EAGAIN, -errno. */
static int refill(struct log_reader *r, bool may_wait, int64_t until_ms, struct err *err)
{
	for (;;) {
		/* Read before the look: what was written before the stop is seen. */
		bool stopped = atomic_load(&r->stopped);
		ssize_t n = read_more(r, err);
		int rc;

		if (n)
			return n < 0 ? (int)n : 1;
		rc = next_file(r, err);
		if (rc < 0)
			return rc;
		if (rc > 0 || was_truncated(r))
			continue;
		if (!r->o.follow || stopped || atomic_load(&r->canceled) || r->ended || r->o.end.inode)
			return 0;
		if (!may_wait || !wait_for_change(r, until_ms))
			return -EAGAIN;
	}
}

ssize_t log_reader_read(struct log_reader *r, void *dst, size_t size, int timeout_ms, struct err *err)
{
	struct sink sink = {.at = dst, .end = (char *)dst + size};
	int64_t until_ms = timeout_ms < 0 ? -1 : time_mono_ms() + timeout_ms;
	int rc = 1;

	while (rc > 0 && !atomic_load(&r->canceled)) {
		bool empty = sink.at == (char *)dst;

		if (r->spill.len) {
			size_t n = r->spill.len < size ? r->spill.len : size;

			if (!empty)
				break;
			memcpy(dst, r->spill.data, n);
			buf_drop(&r->spill, n);
			return (ssize_t)n;
		}
		if (!put_lines(r, &sink, empty)) {
			if (r->spill.len)
				continue;
			break;
		}
		if (r->ended)
			break;
		/* What is there is delivered before anybody waits. */
		rc = refill(r, sink.at == (char *)dst, until_ms, err);
	}
	end_frame(&sink);
	if (sink.at > (char *)dst)
		return sink.at - (char *)dst;
	if (rc < 0)
		return rc;
	return 0;
}
