/** The arbiter on ZooKeeper: its client's side, and a server in this process for demo and tests. */
@NullMarked
package remus.zookeeper;

import org.jspecify.annotations.NullMarked;
