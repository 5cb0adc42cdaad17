// SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0
/* Fragments by BPF trampoline. */

ENTRY(FRAG_FUNCTION, struct page_pool *pool)
{
	begin_fragment((u64)pool);
	return 0;
}

EXIT(FRAG_FUNCTION, struct page_pool *pool, u64 offset, u64 size, u64 gfp, u64 page)
{
	end_fragment((u64)pool, page != 0);
	return 0;
}
