/* An enum and its names from one list, so that they cannot drift apart.
 *
 *   #define IKE_STATES(X) X(IKE_IDLE, "idle") X(IKE_UP, "up")
 *   XLIST_ENUM(ike_state, IKE_STATE_N, IKE_STATES);
 *   XLIST_NAME(ike_state_name, IKE_STATE_N, IKE_STATES)
 */
#pragma once

#define XLIST_ID(id, name)  id,
#define XLIST_STR(id, name) [id] = name,

#define XLIST_ENUM(tag, last, LIST) enum tag { LIST(XLIST_ID) last }

/* Defines `const char *fn(unsigned v)`; "?" for a value outside the list. */
#define XLIST_NAME(fn, last, LIST)                                    \
	const char *fn(unsigned v)                                    \
	{                                                             \
		static const char *const names[] = {LIST(XLIST_STR)}; \
		return v < (last) && names[v] ? names[v] : "?";       \
	}
