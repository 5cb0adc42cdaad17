// SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0
/*
 * Allocations by BPF trampoline: every function that has the fast path in it. The exits are for a refill that is inside
 * the allocation: what is left of it ends with it.
 */

#define BEGIN_ALLOC(function) ENTRY(function, struct page_pool *pool) { begin_alloc((u64)pool); return 0; }
#define END_ALLOC(function) \
	EXIT(function, struct page_pool *pool, u64 gfp, u64 page) { end_refill((u64)pool, page != 0); return 0; }

BEGIN_ALLOC(ALLOC_FUNCTION)
#ifdef SECOND_ALLOC_FUNCTION
BEGIN_ALLOC(SECOND_ALLOC_FUNCTION)
#endif

#ifdef INLINED_REFILL
END_ALLOC(ALLOC_FUNCTION)
#ifdef SECOND_ALLOC_FUNCTION
END_ALLOC(SECOND_ALLOC_FUNCTION)
#endif
#endif
