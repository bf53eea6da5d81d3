/*
 * profile - compat.xml: the catalogue of features, known kernels' quirks, and what the administrator decides.
 *
 *	<compat>
 *	  <feature name="overlay" since="3.18">text</feature>	documentation; unknown names are errors
 *	  <capability name="layered-root">			documentation
 *	    <backend name="overlay">text</backend>
 *	  </capability>
 *	  <kernel match="3.10.0-*.el7*" name="CentOS 7">	a glob against uname -r
 *	    <quirk>text</quirk>					documentation
 *	    <hide feature="..."/>				on that kernel only
 *	    <force capability="..." backend="..."/>
 *	  </kernel>
 *	  <hide feature="overlay"/>
 *	  <force capability="layered-root" backend="copy"/>
 *	</compat>
 *
 * No DTD, no entities but XML's five, at most 1 MiB.
 */
#ifndef COMPAT_KERNEL_PROFILE_H
#define COMPAT_KERNEL_PROFILE_H

#include <stddef.h>

#include "compat/base/err.h"
#include "compat/base/vec.h"

#define PROFILE_MAX_BYTES (1 << 20)

struct profile {
	struct strv hide;	/* names of features */
	struct strmap force;	/* capability -> backend */
	struct strv kernels;	/* names of the kernel elements that match this one */
};

/*
 * @release	as uname -r says
 * @what	the file's name, for messages, which tell the line
 *
 * ERR_INVALID: not XML, an unknown element, attribute, feature, capability or backend, one forced in two ways.
 */
int profile_parse(const char *text, size_t len, const char *release, const char *what,
		  struct profile *ret, struct err *err);
void profile_clear(struct profile *profile);
DEFINE_AUTO_CLEAR(profile_clear, struct profile)

#endif
