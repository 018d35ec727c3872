@main struct Starling { static func main() {} }
