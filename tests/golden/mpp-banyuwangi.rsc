# mpp-banyuwangi: RouterOS 7, rendered by balai from the site's file. Import into a reset router: /import file-name=balai.rsc
# Name the cards of its lines wan1, wan2, … first: /interface ethernet set ether1 name=wan1
# Not in here, because RouterOS has no such thing: counters that are shared by the calendar. imigrasi stays closed.
# The overlay's private key is made on the router; tell the data centre its public half: /interface wireguard print
/interface bridge add name=mall protocol-mode=rstp comment="trunk to the switches: add its port"
/interface vlan add interface=mall name=mgmt vlan-id=10 comment="management"
/interface vlan add interface=mall name=srv vlan-id=11 comment="servers"
/interface vlan add interface=mall name=kio vlan-id=12 comment="kiosks"
/interface vlan add interface=mall name=dsp vlan-id=13 comment="displays"
/interface vlan add interface=mall name=cam vlan-id=14 comment="cameras"
/interface vlan add interface=mall name=off0 vlan-id=100 comment="offices dukcapil"
/interface vlan add interface=mall name=off1 vlan-id=101 comment="offices imigrasi"
/interface vlan add interface=mall name=gst vlan-id=90 comment="guests"
/ip dhcp-client add interface=wan1 use-peer-dns=no use-peer-ntp=no add-default-route=yes default-route-distance=1 check-gateway=ping comment="fibre"
/ip dhcp-client add interface=wan2 use-peer-dns=no use-peer-ntp=no add-default-route=yes default-route-distance=2 check-gateway=ping comment="lte"
/ip address add interface=mgmt address=10.64.0.1/24
/ipv6 address add interface=mgmt address=fd62:616c:6100::1/64 advertise=yes
/ip address add interface=srv address=10.64.1.1/24
/ipv6 address add interface=srv address=fd62:616c:6100:1::1/64 advertise=no
/ip address add interface=kio address=10.64.2.1/24
/ipv6 address add interface=kio address=fd62:616c:6100:2::1/64 advertise=no
/ip address add interface=dsp address=10.64.3.1/24
/ipv6 address add interface=dsp address=fd62:616c:6100:3::1/64 advertise=no
/ip address add interface=cam address=10.64.4.1/24
/ipv6 address add interface=cam address=fd62:616c:6100:4::1/64 advertise=no
/ip address add interface=off0 address=10.64.8.1/27
/ipv6 address add interface=off0 address=fd62:616c:6100:40::1/64 advertise=yes
/ip address add interface=off1 address=10.64.8.33/27
/ipv6 address add interface=off1 address=fd62:616c:6100:41::1/64 advertise=yes
/ip address add interface=gst address=192.168.0.1/22
/ipv6 address add interface=gst address=fd62:616c:6100:8::1/64 advertise=yes
/ip pool add name=mgmt ranges=10.64.0.200-10.64.0.239
/ip dhcp-server add name=mgmt interface=mgmt address-pool=mgmt lease-time=3600s
/ip dhcp-server network add address=10.64.0.0/24 gateway=10.64.0.1 ntp-server=10.64.0.1 domain=mpp-banyuwangi.balai.internal dns-server=10.64.0.1
/ip dhcp-server add name=srv interface=srv address-pool=static-only lease-time=1209600s
/ip dhcp-server network add address=10.64.1.0/24 gateway=10.64.1.1 ntp-server=10.64.1.1 domain=mpp-banyuwangi.balai.internal dns-server=10.64.1.1
/ip dhcp-server add name=kio interface=kio address-pool=static-only lease-time=1209600s
/ip dhcp-server network add address=10.64.2.0/24 gateway=10.64.2.1 ntp-server=10.64.2.1 domain=mpp-banyuwangi.balai.internal dns-server=10.64.2.1
/ip dhcp-server lease add server=kio mac-address=02:00:00:00:00:03 address=10.64.2.32 comment="mpp-banyuwangi-kiosk-1"
/ip dhcp-server add name=dsp interface=dsp address-pool=static-only lease-time=1209600s
/ip dhcp-server network add address=10.64.3.0/24 gateway=10.64.3.1 ntp-server=10.64.3.1 domain=mpp-banyuwangi.balai.internal dns-server=10.64.3.1
/ip dhcp-server add name=cam interface=cam address-pool=static-only lease-time=1209600s
/ip dhcp-server network add address=10.64.4.0/24 gateway=10.64.4.1 ntp-server=10.64.4.1 domain=mpp-banyuwangi.balai.internal
/ip pool add name=off0 ranges=10.64.8.16-10.64.8.30
/ip dhcp-server add name=off0 interface=off0 address-pool=off0 lease-time=3600s
/ip dhcp-server network add address=10.64.8.0/27 gateway=10.64.8.1 ntp-server=10.64.8.1 domain=mpp-banyuwangi.balai.internal dns-server=10.64.8.1
/ip dhcp-server lease add server=off0 mac-address=02:00:00:00:00:01 address=10.64.8.2 comment="pc-1"
/ip pool add name=off1 ranges=10.64.8.48-10.64.8.62
/ip dhcp-server add name=off1 interface=off1 address-pool=off1 lease-time=3600s
/ip dhcp-server network add address=10.64.8.32/27 gateway=10.64.8.33 ntp-server=10.64.8.33 domain=mpp-banyuwangi.balai.internal dns-server=10.64.8.33
/ip dhcp-server lease add server=off1 mac-address=02:00:00:00:00:02 address=10.64.8.34 comment="pc-2"
/ip pool add name=gst ranges=192.168.0.16-192.168.3.254
/ip dhcp-server add name=gst interface=gst address-pool=gst lease-time=3600s
/ip dhcp-server network add address=192.168.0.0/22 gateway=192.168.0.1 ntp-server=192.168.0.1 domain=mpp-banyuwangi.balai.internal dns-server=192.168.0.1
/ip dns set allow-remote-requests=yes
/ip dns static add name=router-1.mpp-banyuwangi.balai.internal address=10.64.0.1 ttl=1h
/ip dns static add name=router-1.mpp-banyuwangi.balai.internal type=AAAA address=fd62:616c:6100::1 ttl=1h
/ip dns static add name=server-1.mpp-banyuwangi.balai.internal address=10.64.1.10 ttl=1h
/ip dns static add name=server-1.mpp-banyuwangi.balai.internal type=AAAA address=fd62:616c:6100:1::a ttl=1h
/ip dns static add name=periksa.mpp-banyuwangi.balai.internal address=10.64.0.10 ttl=1h
/ip dns static add name=periksa.mpp-banyuwangi.balai.internal type=AAAA address=fd62:616c:6100::a ttl=1h
/ip dns static add name=kiosk-1.mpp-banyuwangi.balai.internal address=10.64.2.32 ttl=1h
/ip dns static add name=kiosk-1.mpp-banyuwangi.balai.internal type=AAAA address=fd62:616c:6100:2::20 ttl=1h
/ip dns static add name=kiosk-2.mpp-banyuwangi.balai.internal address=10.64.2.33 ttl=1h
/ip dns static add name=kiosk-2.mpp-banyuwangi.balai.internal type=AAAA address=fd62:616c:6100:2::21 ttl=1h
/ip dns static add name=display-1.mpp-banyuwangi.balai.internal address=10.64.3.96 ttl=1h
/ip dns static add name=display-1.mpp-banyuwangi.balai.internal type=AAAA address=fd62:616c:6100:3::60 ttl=1h
/ip dns static add name=display-2.mpp-banyuwangi.balai.internal address=10.64.3.97 ttl=1h
/ip dns static add name=display-2.mpp-banyuwangi.balai.internal type=AAAA address=fd62:616c:6100:3::61 ttl=1h
/ip dns static add name=balai.internal match-subdomain=yes type=FWD forward-to=10.0.1.53
/system ntp client set enabled=yes
/system ntp server set enabled=yes
/interface wireguard add name=overlay listen-port=51820
/ip address add interface=overlay address=10.128.4.0/32
/ipv6 address add interface=overlay address=fd62:616c:6200::400/128
/interface wireguard peers add interface=overlay public-key="WaiaBOBqIvEjvVcj3DHeeXkNpGCPpLbBt/eS1lRVsUA=" endpoint-address=198.51.100.2 endpoint-port=51820 allowed-address=10.128.0.1/32,fd62:616c:6200::1/128,10.0.0.0/16,fd62:616c:6000::/48 persistent-keepalive=25s comment="cikarang"
/ip route add dst-address=10.128.0.1/32 gateway=overlay
/ipv6 route add dst-address=fd62:616c:6200::1/128 gateway=overlay
/ip route add dst-address=10.0.0.0/16 gateway=overlay
/ipv6 route add dst-address=fd62:616c:6000::/48 gateway=overlay
/ip firewall address-list add list=private address=10.0.0.0/8
/ip firewall address-list add list=private address=172.16.0.0/12
/ip firewall address-list add list=private address=192.168.0.0/16
/ip firewall address-list add list=private address=100.64.0.0/10
/ip firewall address-list add list=private address=127.0.0.0/8
/ipv6 firewall address-list add list=private address=fc00::/7
/ipv6 firewall address-list add list=private address=fe80::/10
/ipv6 firewall address-list add list=private address=::1/128
/ip firewall address-list add list=offices address=10.64.8.0/21
/ipv6 firewall address-list add list=offices address=fd62:616c:6100:40::/58
/ip firewall filter add chain=input action=accept connection-state=established,related
/ip firewall filter add chain=input action=drop connection-state=invalid
/ip firewall filter add chain=forward action=accept connection-state=established,related
/ip firewall filter add chain=forward action=drop connection-state=invalid
/ipv6 firewall filter add chain=input action=accept connection-state=established,related
/ipv6 firewall filter add chain=input action=drop connection-state=invalid
/ipv6 firewall filter add chain=forward action=accept connection-state=established,related
/ipv6 firewall filter add chain=forward action=drop connection-state=invalid
/ipv6 firewall filter add chain=input action=accept protocol=icmpv6 icmp-options=133:0-255 comment="router and neighbour discovery"
/ipv6 firewall filter add chain=input action=accept protocol=icmpv6 icmp-options=135:0-255
/ipv6 firewall filter add chain=input action=accept protocol=icmpv6 icmp-options=136:0-255
/ip firewall filter add chain=input action=drop src-address=10.64.0.0/24 in-interface=!mgmt comment="a borrowed address"
/ip firewall filter add chain=forward action=drop src-address=10.64.0.0/24 in-interface=!mgmt comment="a borrowed address"
/ipv6 firewall filter add chain=input action=drop src-address=fd62:616c:6100::/64 in-interface=!mgmt comment="a borrowed address"
/ipv6 firewall filter add chain=forward action=drop src-address=fd62:616c:6100::/64 in-interface=!mgmt comment="a borrowed address"
/ip firewall filter add chain=input action=drop src-address=10.64.1.0/24 in-interface=!srv comment="a borrowed address"
/ip firewall filter add chain=forward action=drop src-address=10.64.1.0/24 in-interface=!srv comment="a borrowed address"
/ipv6 firewall filter add chain=input action=drop src-address=fd62:616c:6100:1::/64 in-interface=!srv comment="a borrowed address"
/ipv6 firewall filter add chain=forward action=drop src-address=fd62:616c:6100:1::/64 in-interface=!srv comment="a borrowed address"
/ip firewall filter add chain=input action=drop src-address=10.64.2.0/24 in-interface=!kio comment="a borrowed address"
/ip firewall filter add chain=forward action=drop src-address=10.64.2.0/24 in-interface=!kio comment="a borrowed address"
/ipv6 firewall filter add chain=input action=drop src-address=fd62:616c:6100:2::/64 in-interface=!kio comment="a borrowed address"
/ipv6 firewall filter add chain=forward action=drop src-address=fd62:616c:6100:2::/64 in-interface=!kio comment="a borrowed address"
/ip firewall filter add chain=input action=drop src-address=10.64.3.0/24 in-interface=!dsp comment="a borrowed address"
/ip firewall filter add chain=forward action=drop src-address=10.64.3.0/24 in-interface=!dsp comment="a borrowed address"
/ipv6 firewall filter add chain=input action=drop src-address=fd62:616c:6100:3::/64 in-interface=!dsp comment="a borrowed address"
/ipv6 firewall filter add chain=forward action=drop src-address=fd62:616c:6100:3::/64 in-interface=!dsp comment="a borrowed address"
/ip firewall filter add chain=input action=drop src-address=10.64.4.0/24 in-interface=!cam comment="a borrowed address"
/ip firewall filter add chain=forward action=drop src-address=10.64.4.0/24 in-interface=!cam comment="a borrowed address"
/ipv6 firewall filter add chain=input action=drop src-address=fd62:616c:6100:4::/64 in-interface=!cam comment="a borrowed address"
/ipv6 firewall filter add chain=forward action=drop src-address=fd62:616c:6100:4::/64 in-interface=!cam comment="a borrowed address"
/ip firewall filter add chain=input action=drop src-address=10.64.8.0/27 in-interface=!off0 comment="a borrowed address"
/ip firewall filter add chain=forward action=drop src-address=10.64.8.0/27 in-interface=!off0 comment="a borrowed address"
/ipv6 firewall filter add chain=input action=drop src-address=fd62:616c:6100:40::/64 in-interface=!off0 comment="a borrowed address"
/ipv6 firewall filter add chain=forward action=drop src-address=fd62:616c:6100:40::/64 in-interface=!off0 comment="a borrowed address"
/ip firewall filter add chain=input action=drop src-address=10.64.8.32/27 in-interface=!off1 comment="a borrowed address"
/ip firewall filter add chain=forward action=drop src-address=10.64.8.32/27 in-interface=!off1 comment="a borrowed address"
/ipv6 firewall filter add chain=input action=drop src-address=fd62:616c:6100:41::/64 in-interface=!off1 comment="a borrowed address"
/ipv6 firewall filter add chain=forward action=drop src-address=fd62:616c:6100:41::/64 in-interface=!off1 comment="a borrowed address"
/ip firewall filter add chain=input action=drop src-address=192.168.0.0/22 in-interface=!gst comment="a borrowed address"
/ip firewall filter add chain=forward action=drop src-address=192.168.0.0/22 in-interface=!gst comment="a borrowed address"
/ipv6 firewall filter add chain=input action=drop src-address=fd62:616c:6100:8::/64 in-interface=!gst comment="a borrowed address"
/ipv6 firewall filter add chain=forward action=drop src-address=fd62:616c:6100:8::/64 in-interface=!gst comment="a borrowed address"
/ip firewall filter add chain=input action=accept src-address=10.64.0.0/24 protocol=tcp dst-port=22 comment="technician"
/ipv6 firewall filter add chain=input action=accept src-address=fd62:616c:6100::/64 protocol=tcp dst-port=22 comment="technician"
/ip firewall filter add chain=forward action=accept src-address=10.64.0.0/24 dst-address=10.64.1.0/24 protocol=tcp dst-port=22 comment="technician"
/ipv6 firewall filter add chain=forward action=accept src-address=fd62:616c:6100::/64 dst-address=fd62:616c:6100:1::/64 protocol=tcp dst-port=22 comment="technician"
/ip firewall filter add chain=forward action=accept src-address=10.64.0.0/24 dst-address=10.64.2.0/24 protocol=tcp dst-port=22 comment="technician"
/ipv6 firewall filter add chain=forward action=accept src-address=fd62:616c:6100::/64 dst-address=fd62:616c:6100:2::/64 protocol=tcp dst-port=22 comment="technician"
/ip firewall filter add chain=forward action=accept src-address=10.64.0.0/24 dst-address=10.64.3.0/24 protocol=tcp dst-port=22 comment="technician"
/ipv6 firewall filter add chain=forward action=accept src-address=fd62:616c:6100::/64 dst-address=fd62:616c:6100:3::/64 protocol=tcp dst-port=22 comment="technician"
/ip firewall filter add chain=input action=accept src-address=10.64.0.0/24 protocol=icmp icmp-options=8:0 comment="diagnosis"
/ipv6 firewall filter add chain=input action=accept src-address=fd62:616c:6100::/64 protocol=icmpv6 icmp-options=128:0 comment="diagnosis"
/ip firewall filter add chain=forward action=accept src-address=10.64.0.0/24 dst-address=10.64.1.0/24 protocol=icmp icmp-options=8:0 comment="diagnosis"
/ipv6 firewall filter add chain=forward action=accept src-address=fd62:616c:6100::/64 dst-address=fd62:616c:6100:1::/64 protocol=icmpv6 icmp-options=128:0 comment="diagnosis"
/ip firewall filter add chain=forward action=accept src-address=10.64.0.0/24 dst-address=10.64.2.0/24 protocol=icmp icmp-options=8:0 comment="diagnosis"
/ipv6 firewall filter add chain=forward action=accept src-address=fd62:616c:6100::/64 dst-address=fd62:616c:6100:2::/64 protocol=icmpv6 icmp-options=128:0 comment="diagnosis"
/ip firewall filter add chain=forward action=accept src-address=10.64.0.0/24 dst-address=10.64.3.0/24 protocol=icmp icmp-options=8:0 comment="diagnosis"
/ipv6 firewall filter add chain=forward action=accept src-address=fd62:616c:6100::/64 dst-address=fd62:616c:6100:3::/64 protocol=icmpv6 icmp-options=128:0 comment="diagnosis"
/ip firewall filter add chain=forward action=accept src-address=10.64.0.0/24 dst-address=10.64.4.0/24 protocol=icmp icmp-options=8:0 comment="diagnosis"
/ipv6 firewall filter add chain=forward action=accept src-address=fd62:616c:6100::/64 dst-address=fd62:616c:6100:4::/64 protocol=icmpv6 icmp-options=128:0 comment="diagnosis"
/ip firewall filter add chain=forward action=accept src-address=10.64.0.0/24 dst-address=10.64.8.0/21 protocol=icmp icmp-options=8:0 comment="diagnosis"
/ipv6 firewall filter add chain=forward action=accept src-address=fd62:616c:6100::/64 dst-address=fd62:616c:6100:40::/58 protocol=icmpv6 icmp-options=128:0 comment="diagnosis"
/ip firewall filter add chain=input action=accept src-address=10.64.1.0/24 protocol=icmp icmp-options=8:0 comment="gateway-answers"
/ipv6 firewall filter add chain=input action=accept src-address=fd62:616c:6100:1::/64 protocol=icmpv6 icmp-options=128:0 comment="gateway-answers"
/ip firewall filter add chain=input action=accept src-address=10.64.2.0/24 protocol=icmp icmp-options=8:0 comment="gateway-answers"
/ipv6 firewall filter add chain=input action=accept src-address=fd62:616c:6100:2::/64 protocol=icmpv6 icmp-options=128:0 comment="gateway-answers"
/ip firewall filter add chain=input action=accept src-address=10.64.3.0/24 protocol=icmp icmp-options=8:0 comment="gateway-answers"
/ipv6 firewall filter add chain=input action=accept src-address=fd62:616c:6100:3::/64 protocol=icmpv6 icmp-options=128:0 comment="gateway-answers"
/ip firewall filter add chain=input action=accept src-address=10.64.4.0/24 protocol=icmp icmp-options=8:0 comment="gateway-answers"
/ipv6 firewall filter add chain=input action=accept src-address=fd62:616c:6100:4::/64 protocol=icmpv6 icmp-options=128:0 comment="gateway-answers"
/ip firewall filter add chain=input action=accept src-address=10.64.8.0/21 protocol=icmp icmp-options=8:0 comment="gateway-answers"
/ipv6 firewall filter add chain=input action=accept src-address=fd62:616c:6100:40::/58 protocol=icmpv6 icmp-options=128:0 comment="gateway-answers"
/ip firewall filter add chain=input action=accept src-address=192.168.0.0/16 protocol=icmp icmp-options=8:0 comment="gateway-answers"
/ipv6 firewall filter add chain=input action=accept src-address=fd62:616c:6100:8::/64 protocol=icmpv6 icmp-options=128:0 comment="gateway-answers"
/ip firewall filter add chain=input action=accept src-address=10.64.0.0/24 protocol=udp dst-port=123 comment="time"
/ipv6 firewall filter add chain=input action=accept src-address=fd62:616c:6100::/64 protocol=udp dst-port=123 comment="time"
/ip firewall filter add chain=input action=accept src-address=10.64.1.0/24 protocol=udp dst-port=123 comment="time"
/ipv6 firewall filter add chain=input action=accept src-address=fd62:616c:6100:1::/64 protocol=udp dst-port=123 comment="time"
/ip firewall filter add chain=input action=accept src-address=10.64.2.0/24 protocol=udp dst-port=123 comment="time"
/ipv6 firewall filter add chain=input action=accept src-address=fd62:616c:6100:2::/64 protocol=udp dst-port=123 comment="time"
/ip firewall filter add chain=input action=accept src-address=10.64.3.0/24 protocol=udp dst-port=123 comment="time"
/ipv6 firewall filter add chain=input action=accept src-address=fd62:616c:6100:3::/64 protocol=udp dst-port=123 comment="time"
/ip firewall filter add chain=input action=accept src-address=10.64.4.0/24 protocol=udp dst-port=123 comment="time"
/ipv6 firewall filter add chain=input action=accept src-address=fd62:616c:6100:4::/64 protocol=udp dst-port=123 comment="time"
/ip firewall filter add chain=input action=accept src-address=10.64.8.0/21 protocol=udp dst-port=123 comment="time"
/ipv6 firewall filter add chain=input action=accept src-address=fd62:616c:6100:40::/58 protocol=udp dst-port=123 comment="time"
/ip firewall filter add chain=input action=accept src-address=10.64.0.0/24 protocol=udp dst-port=53 comment="names"
/ipv6 firewall filter add chain=input action=accept src-address=fd62:616c:6100::/64 protocol=udp dst-port=53 comment="names"
/ip firewall filter add chain=input action=accept src-address=10.64.1.0/24 protocol=udp dst-port=53 comment="names"
/ipv6 firewall filter add chain=input action=accept src-address=fd62:616c:6100:1::/64 protocol=udp dst-port=53 comment="names"
/ip firewall filter add chain=input action=accept src-address=10.64.2.0/24 protocol=udp dst-port=53 comment="names"
/ipv6 firewall filter add chain=input action=accept src-address=fd62:616c:6100:2::/64 protocol=udp dst-port=53 comment="names"
/ip firewall filter add chain=input action=accept src-address=10.64.3.0/24 protocol=udp dst-port=53 comment="names"
/ipv6 firewall filter add chain=input action=accept src-address=fd62:616c:6100:3::/64 protocol=udp dst-port=53 comment="names"
/ip firewall filter add chain=input action=accept src-address=10.64.8.0/21 protocol=udp dst-port=53 comment="names"
/ipv6 firewall filter add chain=input action=accept src-address=fd62:616c:6100:40::/58 protocol=udp dst-port=53 comment="names"
/ip firewall filter add chain=input action=accept src-address=192.168.0.0/16 protocol=udp dst-port=53 comment="names"
/ipv6 firewall filter add chain=input action=accept src-address=fd62:616c:6100:8::/64 protocol=udp dst-port=53 comment="names"
/ip firewall filter add chain=input action=accept src-address=10.64.0.0/24 protocol=tcp dst-port=53 comment="names"
/ipv6 firewall filter add chain=input action=accept src-address=fd62:616c:6100::/64 protocol=tcp dst-port=53 comment="names"
/ip firewall filter add chain=input action=accept src-address=10.64.1.0/24 protocol=tcp dst-port=53 comment="names"
/ipv6 firewall filter add chain=input action=accept src-address=fd62:616c:6100:1::/64 protocol=tcp dst-port=53 comment="names"
/ip firewall filter add chain=input action=accept src-address=10.64.2.0/24 protocol=tcp dst-port=53 comment="names"
/ipv6 firewall filter add chain=input action=accept src-address=fd62:616c:6100:2::/64 protocol=tcp dst-port=53 comment="names"
/ip firewall filter add chain=input action=accept src-address=10.64.3.0/24 protocol=tcp dst-port=53 comment="names"
/ipv6 firewall filter add chain=input action=accept src-address=fd62:616c:6100:3::/64 protocol=tcp dst-port=53 comment="names"
/ip firewall filter add chain=input action=accept src-address=10.64.8.0/21 protocol=tcp dst-port=53 comment="names"
/ipv6 firewall filter add chain=input action=accept src-address=fd62:616c:6100:40::/58 protocol=tcp dst-port=53 comment="names"
/ip firewall filter add chain=input action=accept src-address=192.168.0.0/16 protocol=tcp dst-port=53 comment="names"
/ipv6 firewall filter add chain=input action=accept src-address=fd62:616c:6100:8::/64 protocol=tcp dst-port=53 comment="names"
/ip firewall filter add chain=input action=accept src-address=10.64.0.0/24 protocol=udp dst-port=67 comment="leases"
/ipv6 firewall filter add chain=input action=accept src-address=fd62:616c:6100::/64 protocol=udp dst-port=67 comment="leases"
/ip firewall filter add chain=input action=accept src-address=10.64.1.0/24 protocol=udp dst-port=67 comment="leases"
/ipv6 firewall filter add chain=input action=accept src-address=fd62:616c:6100:1::/64 protocol=udp dst-port=67 comment="leases"
/ip firewall filter add chain=input action=accept src-address=10.64.2.0/24 protocol=udp dst-port=67 comment="leases"
/ipv6 firewall filter add chain=input action=accept src-address=fd62:616c:6100:2::/64 protocol=udp dst-port=67 comment="leases"
/ip firewall filter add chain=input action=accept src-address=10.64.3.0/24 protocol=udp dst-port=67 comment="leases"
/ipv6 firewall filter add chain=input action=accept src-address=fd62:616c:6100:3::/64 protocol=udp dst-port=67 comment="leases"
/ip firewall filter add chain=input action=accept src-address=10.64.4.0/24 protocol=udp dst-port=67 comment="leases"
/ipv6 firewall filter add chain=input action=accept src-address=fd62:616c:6100:4::/64 protocol=udp dst-port=67 comment="leases"
/ip firewall filter add chain=input action=accept src-address=10.64.8.0/21 protocol=udp dst-port=67 comment="leases"
/ipv6 firewall filter add chain=input action=accept src-address=fd62:616c:6100:40::/58 protocol=udp dst-port=67 comment="leases"
/ip firewall filter add chain=input action=accept src-address=192.168.0.0/16 protocol=udp dst-port=67 comment="leases"
/ipv6 firewall filter add chain=input action=accept src-address=fd62:616c:6100:8::/64 protocol=udp dst-port=67 comment="leases"
/ip firewall filter add chain=forward action=accept src-address=10.64.2.0/24 dst-address=10.64.1.0/24 protocol=tcp dst-port=80 comment="local-pages"
/ipv6 firewall filter add chain=forward action=accept src-address=fd62:616c:6100:2::/64 dst-address=fd62:616c:6100:1::/64 protocol=tcp dst-port=80 comment="local-pages"
/ip firewall filter add chain=forward action=accept src-address=10.64.3.0/24 dst-address=10.64.1.0/24 protocol=tcp dst-port=80 comment="local-pages"
/ipv6 firewall filter add chain=forward action=accept src-address=fd62:616c:6100:3::/64 dst-address=fd62:616c:6100:1::/64 protocol=tcp dst-port=80 comment="local-pages"
/ip firewall filter add chain=forward action=accept in-interface=off0 src-mac-address=02:00:00:00:00:01 dst-address=10.64.1.0/24 protocol=tcp dst-port=80 comment="local-pages"
/ipv6 firewall filter add chain=forward action=accept in-interface=off0 src-mac-address=02:00:00:00:00:01 dst-address=fd62:616c:6100:1::/64 protocol=tcp dst-port=80 comment="local-pages"
/ip firewall filter add chain=forward action=accept src-address=10.64.2.0/24 dst-address=10.64.1.0/24 protocol=tcp dst-port=443 comment="local-pages"
/ipv6 firewall filter add chain=forward action=accept src-address=fd62:616c:6100:2::/64 dst-address=fd62:616c:6100:1::/64 protocol=tcp dst-port=443 comment="local-pages"
/ip firewall filter add chain=forward action=accept src-address=10.64.3.0/24 dst-address=10.64.1.0/24 protocol=tcp dst-port=443 comment="local-pages"
/ipv6 firewall filter add chain=forward action=accept src-address=fd62:616c:6100:3::/64 dst-address=fd62:616c:6100:1::/64 protocol=tcp dst-port=443 comment="local-pages"
/ip firewall filter add chain=forward action=accept in-interface=off0 src-mac-address=02:00:00:00:00:01 dst-address=10.64.1.0/24 protocol=tcp dst-port=443 comment="local-pages"
/ipv6 firewall filter add chain=forward action=accept in-interface=off0 src-mac-address=02:00:00:00:00:01 dst-address=fd62:616c:6100:1::/64 protocol=tcp dst-port=443 comment="local-pages"
/ip firewall filter add chain=forward action=accept src-address=10.64.0.0/24 dst-address=10.64.1.0/24 protocol=tcp dst-port=443 comment="verdicts"
/ipv6 firewall filter add chain=forward action=accept src-address=fd62:616c:6100::/64 dst-address=fd62:616c:6100:1::/64 protocol=tcp dst-port=443 comment="verdicts"
/ip firewall filter add chain=forward action=accept src-address=10.64.1.0/24 dst-address=10.64.4.0/24 protocol=tcp dst-port=554 comment="recorder"
/ipv6 firewall filter add chain=forward action=accept src-address=fd62:616c:6100:1::/64 dst-address=fd62:616c:6100:4::/64 protocol=tcp dst-port=554 comment="recorder"
/ip firewall filter add chain=forward action=accept src-address=10.64.2.0/24 dst-address=10.0.0.0/10 protocol=tcp dst-port=443 comment="national-services"
/ipv6 firewall filter add chain=forward action=accept src-address=fd62:616c:6100:2::/64 dst-address=fd62:616c:6000::/40 protocol=tcp dst-port=443 comment="national-services"
/ip firewall filter add chain=forward action=accept src-address=10.64.3.0/24 dst-address=10.0.0.0/10 protocol=tcp dst-port=443 comment="national-services"
/ipv6 firewall filter add chain=forward action=accept src-address=fd62:616c:6100:3::/64 dst-address=fd62:616c:6000::/40 protocol=tcp dst-port=443 comment="national-services"
/ip firewall filter add chain=forward action=accept src-address=10.64.1.0/24 dst-address=10.0.0.0/10 protocol=tcp dst-port=443 comment="national-services"
/ipv6 firewall filter add chain=forward action=accept src-address=fd62:616c:6100:1::/64 dst-address=fd62:616c:6000::/40 protocol=tcp dst-port=443 comment="national-services"
/ip firewall filter add chain=forward action=accept in-interface=off0 src-mac-address=02:00:00:00:00:01 dst-address=10.0.0.0/10 protocol=tcp dst-port=443 comment="services-of-offices"
/ipv6 firewall filter add chain=forward action=accept in-interface=off0 src-mac-address=02:00:00:00:00:01 dst-address=fd62:616c:6000::/40 protocol=tcp dst-port=443 comment="services-of-offices"
/ip firewall filter add chain=forward action=accept src-address=10.64.1.0/24 dst-address=10.0.0.0/10 protocol=tcp dst-port=6514 comment="records"
/ipv6 firewall filter add chain=forward action=accept src-address=fd62:616c:6100:1::/64 dst-address=fd62:616c:6000::/40 protocol=tcp dst-port=6514 comment="records"
/ip firewall filter add chain=forward action=accept src-address=10.64.0.0/24 dst-address=10.64.1.0/24 protocol=tcp dst-port=19532 comment="journals"
/ipv6 firewall filter add chain=forward action=accept src-address=fd62:616c:6100::/64 dst-address=fd62:616c:6100:1::/64 protocol=tcp dst-port=19532 comment="journals"
/ip firewall filter add chain=forward action=accept src-address=10.64.0.0/24 dst-address=10.64.1.0/24 protocol=tcp dst-port=3142 comment="packages"
/ipv6 firewall filter add chain=forward action=accept src-address=fd62:616c:6100::/64 dst-address=fd62:616c:6100:1::/64 protocol=tcp dst-port=3142 comment="packages"
/ip firewall filter add chain=forward action=accept src-address=10.64.1.0/24 dst-address-list=!private protocol=tcp dst-port=80 comment="updates"
/ipv6 firewall filter add chain=forward action=accept src-address=fd62:616c:6100:1::/64 dst-address-list=!private protocol=tcp dst-port=80 comment="updates"
/ip firewall filter add chain=forward action=accept src-address=10.64.1.0/24 dst-address-list=!private protocol=tcp dst-port=443 comment="updates"
/ipv6 firewall filter add chain=forward action=accept src-address=fd62:616c:6100:1::/64 dst-address-list=!private protocol=tcp dst-port=443 comment="updates"
/ip firewall filter add chain=forward action=accept in-interface=off0 src-mac-address=02:00:00:00:00:01 dst-address-list=!private protocol=tcp dst-port=443 comment="office-systems"
/ipv6 firewall filter add chain=forward action=accept in-interface=off0 src-mac-address=02:00:00:00:00:01 dst-address-list=!private protocol=tcp dst-port=443 comment="office-systems"
/ip firewall filter add chain=forward action=accept src-address=192.168.0.0/16 dst-address-list=!private protocol=tcp dst-port=80 comment="guests-web"
/ipv6 firewall filter add chain=forward action=accept src-address=fd62:616c:6100:8::/64 dst-address-list=!private protocol=tcp dst-port=80 comment="guests-web"
/ip firewall filter add chain=forward action=accept src-address=192.168.0.0/16 dst-address-list=!private protocol=tcp dst-port=443 comment="guests-web"
/ipv6 firewall filter add chain=forward action=accept src-address=fd62:616c:6100:8::/64 dst-address-list=!private protocol=tcp dst-port=443 comment="guests-web"
/ip firewall filter add chain=forward action=accept src-address=192.168.0.0/16 dst-address-list=!private protocol=udp dst-port=443 comment="guests-web"
/ipv6 firewall filter add chain=forward action=accept src-address=fd62:616c:6100:8::/64 dst-address-list=!private protocol=udp dst-port=443 comment="guests-web"
/ip firewall filter add chain=input action=drop comment="not declared"
/ip firewall filter add chain=forward action=drop comment="not declared"
/ip firewall nat add chain=srcnat action=masquerade src-address-list=private dst-address-list=!private comment="private addresses do not leave the mall"
/ipv6 firewall filter add chain=input action=drop comment="not declared"
/ipv6 firewall filter add chain=forward action=drop comment="not declared"
/ipv6 firewall nat add chain=srcnat action=masquerade src-address-list=private dst-address-list=!private comment="private addresses do not leave the mall"
/ip settings set rp-filter=loose
/ip service disable telnet,ftp,www,api,api-ssl,winbox
