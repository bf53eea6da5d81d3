/*
 * compat.c - the start: POUCH_HIDE, the profile, the cache of this boot, and all probes
 *
 * The cache is taken only as a whole, and only when its key is today's: boot id, kernel (tests play others in one boot), program, user,
 * hidden names, profile, and the home's file system. So a change of any of them probes again.
 */
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "compat/base/auto.h"
#include "compat/base/fd.h"
#include "compat/base/hide.h"
#include "compat/base/json.h"
#include "compat/base/path.h"
#include "compat/base/proc.h"
#include "compat/base/str.h"
#include "compat/base/version.h"
#include "compat/kernel/capability_state.h"
#include "compat/kernel/cgroup.h"
#include "compat/kernel/feature.h"
#include "compat/kernel/profile.h"
#include "compat/kernel/report.h"

#define DEFAULT_HOME	  "/var/lib/pouch"
#define DEFAULT_EXEC_ROOT "/var/run/pouch"
#define DEFAULT_PROFILE	  "/etc/pouch/compat.xml"

enum { CACHE_MAX_BYTES = 1 << 20 };

/* Set by compat_begin(), before threads. */
static struct {
	char *home, *cache_path, *profile_path;
	bool profile_must_exist, use_cache;
	bool from_cache;	/* the features' results are */
	bool late;		/* the cache may be read yet */
	struct profile profile;
} state;

const char *compat_home(void)
{
	return state.home ? state.home : DEFAULT_HOME;
}

bool compat_is_cached(void)
{
	return state.from_cache;
}

const struct profile *compat_profile(void)
{
	return &state.profile;
}

/* ---- cache ---- */

struct result {
	char *name;
	bool works;
	char *reason;
};

struct cache {
	char *key;
	struct strv hide;
	struct strmap force;
	struct strv kernels;
	VEC(struct result) features;
};

static const struct json_field result_fields[] = {
	JSON_FIELD(struct result, name, "name", JSON_STR, JSON_REQUIRED),
	JSON_FIELD(struct result, works, "works", JSON_BOOL, JSON_REQUIRED),
	JSON_FIELD(struct result, reason, "reason", JSON_STR, 0),
};
static const struct json_table result_table = JSON_TABLE("result", struct result, result_fields);

static const struct json_field cache_fields[] = {
	JSON_FIELD(struct cache, key, "key", JSON_STR, JSON_REQUIRED),
	JSON_FIELD(struct cache, hide, "hide", JSON_STRV, 0),
	JSON_FIELD(struct cache, force, "force", JSON_STRMAP, 0),
	JSON_FIELD(struct cache, kernels, "kernels", JSON_STRV, 0),
	JSON_SUB(struct cache, features, "features", JSON_VEC, 0, &result_table),
};
static const struct json_table cache_table = JSON_TABLE("compat.json", struct cache, cache_fields);

/* @profile NULL: there is none. POUCH_HIDE is in it as it was before the profile added to it. */
static char *make_key(const struct stat *profile)
{
	char boot[37] = "";
	auto_free char *xml = NULL;
	struct utsname uts = {0};
	struct stat home;
	uint64_t dev = stat(compat_home(), &home) == 0 ? (uint64_t)home.st_dev : 0;

	(void)proc_boot_id(boot, NULL);	/* without one nothing is cached, see below */
	if (!*boot)
		return NULL;
	(void)uname(&uts);	/* fails for a bad pointer only */
	if (profile)
		xml = xfmt("%" PRIu64 "-%" PRIu64 "-%" PRId64 "-%" PRId64 ".%09ld",
			   (uint64_t)profile->st_dev, (uint64_t)profile->st_ino,
			   (int64_t)profile->st_size, (int64_t)profile->st_ctim.tv_sec,
			   profile->st_ctim.tv_nsec);
	return xfmt("%s %s %s/%s/%s/%d uid=%u hide=%s profile=%s:%s home=%s:%" PRIx64, boot, uts.release,
		    version_string(), version_commit(), version_build_time(), FEATURE_COUNT,
		    (unsigned int)geteuid(), hide_list(), state.profile_path, xml ? xml : "none",
		    compat_home(), dev);
}

/* Only a file that nobody else could have written: it decides which defences are believed to work. */
static int read_cache(struct cache *ret)
{
	AUTO(buf_clear) struct buf text = BUF_INIT;
	auto_fd int fd = open(state.cache_path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	struct stat st;

	if (fd < 0 || fstat(fd, &st) < 0)
		return -errno;
	if (!S_ISREG(st.st_mode) || st.st_uid != geteuid() || st.st_mode & 022)
		return -EPERM;
	if (buf_read_fd(&text, fd, CACHE_MAX_BYTES, "compat.json", NULL) < 0)
		return -EIO;
	return json_parse(&cache_table, text.data, text.len, 0, "compat.json", ret, NULL);
}

static void forget_results(void)
{
	feature_forget();
	capability_forget();
	cgroup_limit_forget();
}

/* True when the cache was taken over: all features are known then, and the profile need not be read. */
static bool take_cache(const char *key)
{
	struct cache cache = {0};
	bool good = key && read_cache(&cache) == 0 && str_eq(cache.key, key) &&
		    cache.features.n == FEATURE_COUNT;

	for (size_t i = 0; good && i < FEATURE_COUNT; i++)
		good = str_eq(cache.features.v[i].name, feature_name(i));
	if (good) {
		auto_free char *names = strv_join(&cache.hide, ",");

		hide_add(names);
		strv_add_all(&state.profile.hide, &cache.hide);
		strv_add_all(&state.profile.kernels, &cache.kernels);
		strmap_copy(&state.profile.force, &cache.force);
		capability_apply_forced();
		for (size_t i = 0; i < FEATURE_COUNT; i++)
			feature_set(i, cache.features.v[i].works, cache.features.v[i].reason);
	}
	json_clear(&cache_table, &cache);
	return good;
}

static void write_cache(char *key)
{
	AUTO(buf_clear) struct buf text = BUF_INIT;
	struct cache cache = {.key = key};

	strv_add_all(&cache.hide, &state.profile.hide);
	strv_add_all(&cache.kernels, &state.profile.kernels);
	strmap_copy(&cache.force, &state.profile.force);
	for (enum feature f = 0; f < FEATURE_COUNT; f++) {
		struct result *r = VEC_ADD(&cache.features);

		r->name = xstrdup(feature_name(f));
		r->works = feature_works(f);
		r->reason = xstrdup(feature_reason(f));
	}
	json_print(&cache_table, &cache, JSON_PRINT_PRETTY, &text);
	buf_char(&text, '\n');
	/* Without it the next start probes again. */
	(void)file_replace(AT_FDCWD, state.cache_path, text.data, text.len, 0644, FILE_NO_SYNC, NULL);
	cache.key = NULL;
	json_clear(&cache_table, &cache);
}

/* ---- start ---- */

static void set_options(const struct compat_options *o)
{
	static const struct compat_options none;

	if (!o)
		o = &none;
	str_set(&state.home, o->home ? o->home : DEFAULT_HOME);
	str_set(&state.profile_path, o->profile_path ? o->profile_path : DEFAULT_PROFILE);
	free(state.cache_path);
	state.cache_path = xfmt("%s/compat.json", o->exec_root ? o->exec_root : DEFAULT_EXEC_ROOT);
	state.profile_must_exist = o->profile_path != NULL;
	state.use_cache = !o->no_cache;
	state.from_cache = false;
	state.late = false;
	profile_clear(&state.profile);
	capability_set_forced(&state.profile.force);
	forget_results();
}

static int read_profile(struct err *err)
{
	AUTO(buf_clear) struct buf text = BUF_INIT;
	auto_free char *hide = NULL;
	struct utsname uts;
	int rc = file_read(AT_FDCWD, state.profile_path, PROFILE_MAX_BYTES, &text, err);

	if (rc)
		return rc;
	if (uname(&uts) < 0)
		return err_sys(err, errno, "uname");
	rc = profile_parse(text.data, text.len, uts.release, state.profile_path, &state.profile, err);
	if (rc)
		return rc;
	hide = strv_join(&state.profile.hide, ",");
	hide_add(hide);
	capability_apply_forced();
	return 0;
}

/* Without a profile there is nothing to apply, so the cache can wait until it saves something. */
void compat_late_cache(void)
{
	auto_free char *key = NULL;

	if (!state.late)
		return;
	state.late = false;
	key = make_key(NULL);
	state.from_cache = take_cache(key);
}

/* *ret_key is for the cache; NULL: no cache. Owned. */
static int begin(const struct compat_options *options, bool late, char **ret_key, struct err *err)
{
	auto_free char *key = NULL;
	struct stat st;
	bool exists;
	int rc;

	set_options(options);
	rc = feature_check_hidden(hide_list(), "POUCH_HIDE", err);
	if (rc)
		return rc;
	exists = stat(state.profile_path, &st) == 0;
	if (!exists && (errno != ENOENT || state.profile_must_exist))
		return err_sys(err, errno, "read '%s'", state.profile_path);
	state.late = late && state.use_cache && !exists;
	if (state.use_cache && !state.late) {
		key = make_key(exists ? &st : NULL);
		state.from_cache = take_cache(key);
	}
	if (exists && !state.from_cache) {
		rc = read_profile(err);
		if (rc)
			return rc;
	}
	*ret_key = take(key);
	return 0;
}

int compat_begin(const struct compat_options *options, struct err *err)
{
	auto_free char *key = NULL;

	return begin(options, true, &key, err);
}

/* What an earlier process found without them does not hold any more. */
static int mount_cgroups(const char *exec_root, struct err *err)
{
	auto_free char *place = path_join(exec_root ? exec_root : DEFAULT_EXEC_ROOT, "cgroup");
	auto_free char *record = path_join(exec_root ? exec_root : DEFAULT_EXEC_ROOT, COMPAT_CGROUP_RECORD);
	int rc = cgroup_host_mount(place, record, err);

	if (rc <= 0)
		return rc;
	forget_results();
	state.from_cache = false;
	return 0;
}

int compat_init(const struct compat_options *options, struct err *err)
{
	auto_free char *key = NULL;
	int rc = begin(options, false, &key, err);

	if (!rc && options && options->mount_cgroups)
		rc = mount_cgroups(options->exec_root, err);
	if (rc)
		return rc;
	cgroup_ns_sweep();
	feature_probe_all();
	for (enum capability c = 0; c < CAPABILITY_COUNT; c++) {
		rc = capability_choose(c, err);
		if (rc)
			return err_wrap(err, rc, "%s", state.profile_path);
	}
	if (key && !state.from_cache)
		write_cache(key);
	return 0;
}
