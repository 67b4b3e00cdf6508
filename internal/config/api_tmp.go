package config

type APIConfig struct {
	Listen string `koanf:"listen"`
}
