// SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0
/*
 * What a trace sends, and what user space maps of it. ppobserve/probe/events.py mirrors it; assertions for every offset
 * are compiled with it. Chosen by the loader: STACK, the callers that go with an event.
 */
#include "abi.h"

enum { EVENT_MISMATCH, EVENT_SLOW, EVENT_RETURN, EVENT_CREATE, EVENT_DESTROY, EVENT_UPDATE_NID };

struct event {
	u64 ns;   /* CLOCK_MONOTONIC */
	u64 pool; /* its address */
	u32 kind;
	u32 cpu;
	u32 node; /* of the CPU */
	u32 pid;  /* of the thread that was running: an interrupt's victim, often */
	u32 id;
	u32 netns;
	u32 ifindex;
	u32 napi_id;
	u32 page_node;   /* UNKNOWN_NODE: no page, or a buffer without struct page */
	u32 wanted_node; /* update_nid: the new one */
	u32 reason;      /* of a return; RETURNS: it is none */
	s32 pages;       /* slow: held, 0 where not known; destroy: still out */
	s32 stack_bytes; /* below 0: the kernel had no stack to give */
	s32 nid;         /* the pool's, before an update_nid */
	char comm[NAME_BYTES];
	char netdev[NAME_BYTES];
	u64 stack[STACK];
};

/* What became of the events of one CPU that were not copied. User space maps it. */
struct tally {
	u64 second;  /* when the second began that the limit counts in */
	u64 taken;   /* events of that second */
	u64 limited; /* dropped by the limit, ever */
	u64 lost;    /* found the buffer full, ever */
};
