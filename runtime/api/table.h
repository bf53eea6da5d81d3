/*
 * table - the short forms in which the field tables of this folder are written. Only for its .c files.
 *
 * Each table is written between `#define S struct it-describes` and `#undef S`.
 */
#ifndef RUNTIME_API_TABLE_H
#define RUNTIME_API_TABLE_H

#include "compat/base/json.h"

#define F(m, n, t, f)	   JSON_FIELD(S, m, n, t, f)
#define SUB(m, n, t, f, s) JSON_SUB(S, m, n, t, f, s)
#define OMIT		   JSON_OMIT_EMPTY
#define NUL		   JSON_NULL_EMPTY

#endif
