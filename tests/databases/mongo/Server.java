import de.bwaldvogel.mongo.MongoServer;
import de.bwaldvogel.mongo.backend.memory.MemoryBackend;

/** A MongoDB in memory on a free port, which it prints. */
public class Server {
    public static void main(String[] arguments) throws Exception {
        MongoServer server = new MongoServer(new MemoryBackend());
        System.out.println("mongodb:/" + server.bind());
        // Whoever started it ends it by closing its input.
        while (System.in.read() != -1) {}
        server.shutdownNow();
    }
}
