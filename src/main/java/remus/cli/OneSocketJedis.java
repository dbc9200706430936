package remus.cli;

import java.net.Socket;
import java.time.Duration;
import org.jspecify.annotations.Nullable;
import redis.clients.jedis.ClientSetInfoConfig;
import redis.clients.jedis.DefaultJedisClientConfig;
import redis.clients.jedis.Jedis;
import redis.clients.jedis.JedisSocketFactory;
import redis.clients.jedis.exceptions.JedisConnectionException;

/** A Redis client on one TCP connection from beginning to end: Jedis would replace a broken one silently. */
final class OneSocketJedis implements JedisSocketFactory {
    private @Nullable Socket socket;

    private OneSocketJedis(Socket socket) {
        this.socket = socket;
    }

    /** A client that asks nothing of the server by itself. */
    static Jedis over(Socket socket, Duration answerTimeout) {
        DefaultJedisClientConfig config = DefaultJedisClientConfig.builder()
                .serverDefaultProtocol()
                .clientSetInfoConfig(ClientSetInfoConfig.DISABLED)
                .socketTimeoutMillis((int) answerTimeout.toMillis())
                .build();
        return new Jedis(new OneSocketJedis(socket), config);
    }

    @Override
    public synchronized Socket createSocket() {
        Socket one = socket;
        if (one == null) {
            throw new JedisConnectionException("the one connection is broken");
        }
        socket = null;
        return one;
    }
}
