// SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0
/* A new pool, before anyone uses it: those that stay idle are known, too. */
#include "create.h"
#include "table.h"

int create_exit(context *ctx)
{
	u64 pool = created_pool(ctx);

	if (pool)
		entry_of(pool);
	return 0;
}
