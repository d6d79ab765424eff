import de.bwaldvogel.mongo.MongoServer;
import de.bwaldvogel.mongo.MongoVersion;
import de.bwaldvogel.mongo.backend.memory.MemoryBackend;
import java.util.List;

/** A MongoDB in memory on a free port, which it prints. */
public class Server {
    /** What drivers of today ask for at least; the server says less of itself than it can do. */
    static class Version implements MongoVersion {
        public List<Integer> getVersionArray() {
            return List.of(4, 4, 0);
        }

        public int getWireVersion() {
            return 9;
        }
    }

    public static void main(String[] arguments) throws Exception {
        MongoServer server = new MongoServer(new MemoryBackend().version(new Version()));
        System.out.println("mongodb:/" + server.bind());
        // Whoever started it ends it by closing its input.
        while (System.in.read() != -1) {}
        server.shutdownNow();
    }
}
