// SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0
/* From here to tracepoint page_pool_release a pool's returns are its end; see bpf/count/teardown.c. */
#include "program.h"
#include "trace/tearing.h"

static void note_teardown(u64 pool)
{
	u8 one = 1;

	if (!pp_is_shared(pool))
		tearing.update(&pool, &one);
}

int trace_destroy_entry(context *ctx)
{
	u64 pool = FIRST_ARGUMENT(ctx);

	if (pool)
		note_teardown(pool);
	return 0;
}

int trace_release_retry_entry(context *ctx)
{
	note_teardown(FIRST_ARGUMENT(ctx) - PP_RELEASE_DW);
	return 0;
}
