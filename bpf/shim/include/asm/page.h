#pragma once
/* Included by BCC; nothing of it is needed. */
