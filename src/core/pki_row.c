
/* placeholder */

#include "pki_row.h"
