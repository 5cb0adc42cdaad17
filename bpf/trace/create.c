// SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0
/* New pools. */
#include "create.h"
#include "trace/tell.h"

int trace_create_exit(context *ctx)
{
	u64 pool = created_pool(ctx);

	if (pool)
		tell_create(ctx, pool);
	return 0;
}
