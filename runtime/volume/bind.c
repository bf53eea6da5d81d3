/*
 * bind - how -v is read.
 */
#include "runtime/volume/volume.h"

#include "compat/base/path.h"
#include "compat/base/str.h"

void volume_bind_clear(struct volume_bind *bind)
{
	free(bind->source);
	free(bind->target);
	free(bind->propagation);
	free(bind->mode);
	*bind = (struct volume_bind){0};
}

/* Words of one group exclude each other. */
enum word_group { WORD_ACCESS, WORD_LABEL, WORD_COPY, WORD_PROPAGATION, WORD_GROUP_COUNT };

static const struct {
	const char *word;
	enum word_group group;
} words[] = {
	{"ro", WORD_ACCESS},
	{"rw", WORD_ACCESS},
	{"z", WORD_LABEL},
	{"Z", WORD_LABEL},
	{"copy", WORD_COPY},
	{"nocopy", WORD_COPY},
	{"private", WORD_PROPAGATION},
	{"rprivate", WORD_PROPAGATION},
	{"shared", WORD_PROPAGATION},
	{"rshared", WORD_PROPAGATION},
	{"slave", WORD_PROPAGATION},
	{"rslave", WORD_PROPAGATION},
};

static void apply_word(struct volume_bind *bind, const char *word, enum word_group group)
{
	switch (group) {
	case WORD_ACCESS:
		bind->read_only = str_eq(word, "ro");
		break;
	case WORD_LABEL:
		bind->relabel = *word;
		break;
	case WORD_COPY:
		bind->no_copy = str_eq(word, "nocopy");
		break;
	case WORD_PROPAGATION:
		str_set(&bind->propagation, word);
		break;
	case WORD_GROUP_COUNT:
		break;
	}
}

static int parse_mode(const char *spec, struct volume_bind *bind, struct err *err)
{
	const char *seen[WORD_GROUP_COUNT] = {NULL};
	AUTO(strv_clear) struct strv list = {0};

	strv_split(&list, bind->mode, ",", true);
	STRV_EACH(word, &list) {
		size_t i = 0;

		while (i < ARRAY_SIZE(words) && !str_eq(words[i].word, *word))
			i++;
		if (i == ARRAY_SIZE(words))
			return err_set(err, ERR_INVALID,
				       "volume '%s': invalid mode '%s'; known: ro rw z Z copy nocopy "
				       "private rprivate shared rshared slave rslave",
				       spec, *word);
		if (seen[words[i].group])
			return err_set(err, ERR_INVALID, "volume '%s': modes '%s' and '%s' conflict",
				       spec, seen[words[i].group], *word);
		seen[words[i].group] = words[i].word;
		apply_word(bind, *word, words[i].group);
	}

	if (bind->is_bind && seen[WORD_COPY])
		return err_set(err, ERR_INVALID, "volume '%s': '%s' is for named volumes only", spec,
			       seen[WORD_COPY]);
	if (!bind->is_bind && seen[WORD_PROPAGATION])
		return err_set(err, ERR_INVALID, "volume '%s': propagation '%s' is for host paths only",
			       spec, seen[WORD_PROPAGATION]);
	return 0;
}

static int check_target(const char *spec, const char *target, struct err *err)
{
	if (target[0] != '/')
		return err_set(err, ERR_INVALID,
			       "volume '%s': the container's path '%s' is not absolute", spec, target);
	if (str_eq(target, "/"))
		return err_set(err, ERR_INVALID, "volume '%s': the container's root cannot be replaced",
			       spec);
	return 0;
}

int volume_bind_parse(const char *spec, struct volume_bind *ret, struct err *err)
{
	AUTO(volume_bind_clear) struct volume_bind bind = {0};
	AUTO(strv_clear) struct strv parts = {0};
	const char *source, *target;
	int rc;

	if (str_empty(spec) || !str_is_printable(spec))
		return err_set(err, ERR_INVALID, "volume: empty or with control characters");
	strv_split(&parts, spec, ":", true);
	if (parts.n > 3)
		return err_set(err, ERR_INVALID, "volume '%s': want [SOURCE:]TARGET[:MODE]", spec);
	STRV_EACH(part, &parts)
		if (str_empty(*part))
			return err_set(err, ERR_INVALID, "volume '%s': a part between ':' is empty",
				       spec);

	source = parts.n > 1 ? parts.v[0] : NULL;
	target = parts.n > 1 ? parts.v[1] : parts.v[0];
	bind.is_bind = source && source[0] == '/';
	if (bind.is_bind) {
		bind.source = path_clean(source);
	} else if (source) {
		if (!str_is_name(source))
			return err_set(err, ERR_INVALID,
				       "volume '%s': '%s' is neither an absolute path nor a volume "
				       "name ([a-zA-Z0-9][a-zA-Z0-9_.-]+)",
				       spec, source);
		bind.source = xstrdup(source);
	}

	bind.target = path_clean(target);
	rc = check_target(spec, bind.target, err);
	if (rc < 0)
		return rc;
	if (parts.n == 3) {
		bind.mode = xstrdup(parts.v[2]);
		rc = parse_mode(spec, &bind, err);
		if (rc < 0)
			return rc;
	}

	*ret = bind;
	bind = (struct volume_bind){0};
	return 0;
}
