/* Whether who is at the other end of a stream socket has gone, where reading does not tell it: something unread is in
 * front of the end, or the end of what it sends may be all that has ended. */
#ifndef SANDPLANE_RUNTIME_PEER_H_
#define SANDPLANE_RUNTIME_PEER_H_

#include <stdbool.h>

/* Unix sockets: it has closed both ways. TCP: it has sent its end, which is all that TCP tells before we send. */
bool peer_is_gone(int fd);

#endif
