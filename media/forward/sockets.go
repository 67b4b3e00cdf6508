package forward

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"

	"github.com/pion/ice/v4"
	"github.com/pion/logging"
)

// sockets are what all media goes through: one UDP port, and one TCP port for clients that can't use UDP, on each address.
type sockets struct {
	udp    ice.UDPMux
	tcp    ice.TCPMux
	closer []func() error
}

// quiet drops what pion logs: it has clients' addresses in it.
func quiet() *logging.DefaultLoggerFactory {
	factory := logging.NewDefaultLoggerFactory()
	factory.DefaultLogLevel = logging.LogLevelDisabled
	factory.ScopeLevels = map[string]logging.LogLevel{}
	return factory
}

// listen opens the sockets of cfg, or none.
func listen(ctx context.Context, cfg Config) (_ *sockets, err error) {
	s := &sockets{}
	defer func() {
		if err != nil {
			err = errors.Join(err, s.close())
		}
	}()
	addresses, err := listenAddresses(cfg.Listen)
	if err != nil {
		return nil, err
	}
	log := quiet().NewLogger("ice")
	var (
		lc      net.ListenConfig
		muxes   []ice.UDPMux
		tcps    []ice.TCPMux
		udpPort = cfg.UDPPort
		tcpPort = cfg.TCPPort
	)
	for _, address := range addresses {
		packets, err := lc.ListenPacket(ctx, "udp", netip.AddrPortFrom(address, uint16(udpPort)).String()) //nolint:gosec // Validate bounds it
		if err != nil {
			return nil, fmt.Errorf("listen for media (UDP): %w", err)
		}
		conn, ok := packets.(*net.UDPConn)
		if !ok {
			return nil, errors.Join(fmt.Errorf("listen for media (UDP): a %T", packets), packets.Close())
		}
		batches := newBatchConn(conn)
		s.closer = append(s.closer, batches.Close)
		// What the system doesn't allow it cuts to its own limit; smaller buffers work, they lose packets sooner.
		_ = conn.SetReadBuffer(cfg.SocketBuffer)
		_ = conn.SetWriteBuffer(cfg.SocketBuffer)
		if local, ok := conn.LocalAddr().(*net.UDPAddr); ok {
			udpPort = local.Port
		}
		muxes = append(muxes, ice.NewUDPMuxDefault(ice.UDPMuxParams{Logger: log, UDPConn: batches}))
		if tcpPort == noPort {
			continue
		}
		listener, err := lc.Listen(ctx, "tcp", netip.AddrPortFrom(address, uint16(tcpPort)).String()) //nolint:gosec // Validate bounds it
		if err != nil {
			return nil, fmt.Errorf("listen for media (TCP): %w", err)
		}
		s.closer = append(s.closer, listener.Close)
		if local, ok := listener.Addr().(*net.TCPAddr); ok {
			tcpPort = local.Port
		}
		tcps = append(tcps, ice.NewTCPMuxDefault(ice.TCPMuxParams{
			Logger: log, Listener: newStrangers(listener), ReadBufferSize: 64, WriteBufferSize: 1 << 20,
			FirstStunBindTimeout: strangerFor, AliveDurationForConnFromStun: strangerFor,
		}))
	}
	s.udp = ice.NewMultiUDPMuxDefault(muxes...)
	if len(tcps) > 0 {
		s.tcp = ice.NewMultiTCPMuxDefault(tcps...)
	}
	return s, nil
}

func (s *sockets) close() error {
	var errs []error
	if s.udp != nil {
		errs = append(errs, s.udp.Close())
	}
	if s.tcp != nil {
		errs = append(errs, s.tcp.Close())
	}
	for _, closer := range s.closer {
		if err := closer(); err != nil && !errors.Is(err, net.ErrClosed) {
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}

// listenAddresses are those of the configuration, with 0.0.0.0 and :: spelled out as the addresses of all interfaces: one socket each, so that
// an answer leaves from the address that was asked.
func listenAddresses(configured []string) ([]netip.Addr, error) {
	var all []netip.Addr
	for _, text := range configured {
		address, err := netip.ParseAddr(text)
		if err != nil {
			return nil, fmt.Errorf("listen: %q is not an IP address", text)
		}
		if !address.IsUnspecified() {
			all = append(all, address)
			continue
		}
		interfaces, err := net.InterfaceAddrs()
		if err != nil {
			return nil, fmt.Errorf("list addresses of this machine: %w", err)
		}
		for _, one := range interfaces {
			prefix, ok := one.(*net.IPNet)
			if !ok {
				continue
			}
			found, ok := netip.AddrFromSlice(prefix.IP)
			found = found.Unmap()
			if !ok || found.Is4() != address.Is4() || found.IsLinkLocalUnicast() {
				continue
			}
			all = append(all, found)
		}
	}
	if len(all) == 0 {
		return nil, errors.New("listen: no address to receive media on")
	}
	return all, nil
}
